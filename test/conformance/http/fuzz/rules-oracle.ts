// Computes the effect of a route's rules on one request. The code is slow and simple, and shares no code with the product. It
// implements rows A1 to A8 of plugboard/proxy/EDGE.md, RFC 7617 for basic auth, and the CORS protocol of the Fetch standard.

import type { CorsCase, Edits, FieldList, RulesCase } from './rules-mutate.ts'

export type Expected =
  | {
      readonly kind: 'refused'
      readonly code: 'address_denied' | 'bad_request' | 'unauthorized'
      readonly challenge?: string
    }
  | { readonly kind: 'preflight'; readonly cors: CorsFields }
  | { readonly kind: 'forwarded'; readonly fields: FieldList }

/** The fields of CORS, by their names without `Access-Control-`, and the members of Vary. */
export interface CorsFields {
  readonly fields: Readonly<Record<string, string>>
  readonly vary: readonly string[]
}

export interface ExpectedResponse {
  /** All other fields, in their order. */
  readonly others: FieldList
  readonly cors: CorsFields
}

export function expectedOf(rules: RulesCase): Expected {
  if (!addressMayPass(rules)) return { kind: 'refused', code: 'address_denied' }
  if (rules.cors !== undefined && isPreflight(rules))
    return { kind: 'preflight', cors: preflightOf(rules.cors, rules) }
  let user: string | undefined
  if (rules.users !== undefined) {
    const credentials = valuesOf(rules.fields, 'authorization')
    if (credentials.length > 1) return { kind: 'refused', code: 'bad_request' }
    user = userOf(credentials[0] ?? '', rules)
    if (user === undefined) {
      const realm = [...(rules.realm ?? 'Restricted')].map(each =>
        each === '"' || each === '\\' ? `\\${each}` : each,
      )
      return {
        kind: 'refused',
        code: 'unauthorized',
        challenge: `Basic realm="${realm.join('')}", charset="UTF-8"`,
      }
    }
  }
  let fields = rules.fields
  if (rules.users !== undefined) {
    const own = [rules.forwardUser, rules.forwardAuthorization ? undefined : 'authorization'].filter(
      name => name !== undefined,
    )
    fields = fields.filter(([name]) => !own.some(each => isSpelling(name, each)))
    if (rules.forwardUser !== undefined) fields = [...fields, [rules.forwardUser, escaped(user ?? '')]]
  }
  return { kind: 'forwarded', fields: edited(fields, rules.requestHeaders, rules) }
}

/** `source`: whether the response comes from the backend or is a problem of Plugboard. */
export function expectedResponse(rules: RulesCase, source: 'backend' | 'plugboard'): ExpectedResponse {
  const { cors, responseHeaders, response } = rules
  const after = source === 'backend' ? edited(response, responseHeaders, rules) : response
  const isCors = ([name]: FieldList[number]) => name.toLowerCase().startsWith('access-control-')
  const isVary = ([name]: FieldList[number]) => name.toLowerCase() === 'vary'
  const kept = cors === undefined ? after : after.filter(field => !isCors(field))
  const vary = membersOf(kept)
  if (cors === undefined)
    return {
      others: kept.filter(field => !isVary(field) && !isCors(field)),
      cors: { fields: namesOf(kept), vary },
    }
  const forAll = cors.origins.includes('*') && cors.credentials !== true
  if (!forAll && !vary.includes('*') && !vary.includes('origin')) vary.push('origin')
  const origins = valuesOf(rules.fields, 'origin')
  const origin = origins.length === 1 ? origins[0] : undefined
  const fields = origin === undefined ? {} : permission(cors, origin)
  const allowed = Object.keys(fields).length > 0
  const exposed = allowed ? (cors.exposed ?? []) : []
  const problem =
    source === 'plugboard' && origin !== undefined
      ? ['Plugboard-Error', 'X-Request-ID', 'Retry-After', 'RateLimit', 'RateLimit-Policy']
      : []
  const list = [...exposed, ...problem].join(', ')
  return {
    others: kept.filter(field => !isVary(field)),
    cors: { fields: { ...fields, ...(list !== '' && { 'expose-headers': list }) }, vary },
  }
}

/** Returns the fields of the product's response in the form of the expectation. */
export function readResponse(fields: FieldList): ExpectedResponse {
  const others = fields.filter(([name]) => !/^(?:vary$|access-control-)/i.test(name))
  return { others, cors: { fields: namesOf(fields), vary: membersOf(fields) } }
}

function namesOf(fields: FieldList): Record<string, string> {
  const cors = fields.filter(([name]) => name.toLowerCase().startsWith('access-control-'))
  const named = cors.map(
    ([name, value]) => [name.toLowerCase().slice('access-control-'.length), value] as const,
  )
  // A repeated name is a fault, unless the backend has sent both fields.
  const result: Record<string, string> = {}
  for (const [name, value] of named)
    result[name] = Object.hasOwn(result, name) ? `${result[name]} and ${value}` : value
  return result
}

function membersOf(fields: FieldList): string[] {
  return valuesOf(fields, 'vary')
    .flatMap(value => value.split(','))
    .map(member => member.trim().toLowerCase())
    .filter(member => member !== '')
}

function valuesOf(fields: FieldList, lowerCase: string): string[] {
  return fields.filter(([name]) => name.toLowerCase() === lowerCase).map(([, value]) => value)
}

// Addresses, bit by bit.

function addressMayPass({ allow, deny, clientAddress }: RulesCase): boolean {
  if (allow === undefined && deny === undefined) return true
  const client = bitsOf(clientAddress.split('%', 1)[0] as string)
  if (client === undefined) return false
  const within = (network: string): boolean => {
    const [address = '', length] = network.split('/')
    const bits = bitsOf(address) as { value: string; family: number }
    const written = address.includes(':') ? 128 : 32
    const prefix = Number(length ?? written) - (written - (bits.family === 4 ? 32 : 128))
    return bits.family === client.family && client.value.slice(0, prefix) === bits.value.slice(0, prefix)
  }
  if (deny?.some(within) === true) return false
  return allow === undefined || allow.some(within)
}

/** Returns the bits of an address as a text of 32 or 128 digits. */
function bitsOf(text: string): { value: string; family: number } | undefined {
  const decimal = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  const binary = (value: number, digits: number) => value.toString(2).padStart(digits, '0')
  if (decimal !== null) {
    const parts = decimal.slice(1).map(Number)
    return parts.some(part => part > 255)
      ? undefined
      : { value: parts.map(part => binary(part, 8)).join(''), family: 4 }
  }
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  const last = tail === null ? undefined : bitsOf(tail[2] as string)
  const words =
    last === undefined
      ? text
      : `${tail?.[1]}${[0, 16].map(at => Number.parseInt(last.value.slice(at, at + 16), 2).toString(16)).join(':')}`
  const halves = words.split('::')
  if (halves.length > 2) return undefined
  const [left = [], right = []] = halves.map(half => (half === '' ? [] : half.split(':')))
  const missing = 8 - left.length - right.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const groups = [...left, ...Array.from({ length: missing }, () => '0'), ...right]
  if (!groups.every(group => /^[0-9a-f]{1,4}$/i.test(group))) return undefined
  const value = groups.map(group => binary(Number.parseInt(group, 16), 16)).join('')
  const mapped = `${'0'.repeat(80)}${'1'.repeat(16)}`
  return value.startsWith(mapped) ? { value: value.slice(96), family: 4 } : { value, family: 6 }
}

// Basic auth (RFC 7617).

function userOf(credential: string, { users = [] }: RulesCase): string | undefined {
  const words = credential.split(' ').filter((word, index) => word !== '' || index === 0)
  const [scheme = '', encoded = '', ...more] = words
  if (scheme.toLowerCase() !== 'basic' || more.length > 0 || credential.endsWith(' ')) return undefined
  const bytes = decode64(encoded)
  return users.find(({ name, password }) => bytes?.equals(Buffer.from(`${name}:${password}`)) === true)?.name
}

/** Padding may be missing. */
function decode64(text: string): Buffer | undefined {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  let body = text
  for (let padding = 0; padding < 2 && body.endsWith('='); padding += 1) body = body.slice(0, -1)
  let bits = ''
  for (const character of body) {
    const value = digits.indexOf(character)
    if (value === -1) return undefined
    bits += value.toString(2).padStart(6, '0')
  }
  const bytes: number[] = []
  for (let at = 0; at + 8 <= bits.length; at += 8) bytes.push(Number.parseInt(bits.slice(at, at + 8), 2))
  return Buffer.from(bytes)
}

/** Percent-encodes `%`, characters other than printable ASCII, and blanks at both ends. */
function escaped(text: string): string {
  return [...text]
    .map((character, index, all) => {
      const atEnd = character === ' ' && (index === 0 || index === all.length - 1)
      if (!atEnd && character >= ' ' && character <= '~' && character !== '%') return character
      return [...Buffer.from(character)]
        .map(byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
        .join('')
    })
    .join('')
}

// CORS.

function isPreflight({ method, fields }: RulesCase): boolean {
  const one = (name: string) => valuesOf(fields, name).length === 1
  return method === 'OPTIONS' && one('origin') && one('access-control-request-method')
}

function preflightOf(cors: CorsCase, { fields }: RulesCase): CorsFields {
  const vary = ['origin', 'access-control-request-method', 'access-control-request-headers']
  const allowed = permission(cors, valuesOf(fields, 'origin')[0] as string)
  if (Object.keys(allowed).length === 0) return { fields: {}, vary }
  const requested = valuesOf(fields, 'access-control-request-headers')
  const repeated =
    requested.length === 1 && isListOfNames(requested[0] as string) ? (requested[0] as string) : ''
  const headers = cors.headers === undefined ? repeated : cors.headers.join(', ')
  return {
    fields: {
      ...allowed,
      'allow-methods': (cors.methods ?? ['PUT', 'PATCH', 'DELETE']).join(', '),
      ...(headers !== '' && { 'allow-headers': headers }),
      'max-age': String(cors.maxAgeSeconds ?? 600),
    },
    vary,
  }
}

function isListOfNames(text: string): boolean {
  const letters = "!#$%&'*+.^_`|~-"
  const isName = (name: string) =>
    name !== '' &&
    [...name].every(character => /^[A-Za-z0-9]$/.test(character) || letters.includes(character))
  return text.length <= 1024 && text.split(',').every(part => isName(part.replace(/^ | $/g, '')))
}

/** Returns the CORS fields. Empty: the origin has no permission. */
function permission(cors: CorsCase, origin: string): Record<string, string> {
  const credentials: Record<string, string> = cors.credentials === true ? { 'allow-credentials': 'true' } : {}
  if (cors.credentials !== true && cors.origins.includes('*')) return { 'allow-origin': '*' }
  return cors.origins.some(each => isOrigin(origin, each)) ? { 'allow-origin': origin, ...credentials } : {}
}

function isOrigin(origin: string, rule: string): boolean {
  if (!rule.includes('://*.')) return origin === rule
  const [scheme = '', host = ''] = rule.split('://*.')
  if (!origin.startsWith(`${scheme}://`) || !origin.endsWith(`.${host}`)) return false
  const labels = origin.slice(scheme.length + 3, origin.length - host.length - 1).split('.')
  return labels.every(label => label !== '' && [...label].every(each => /^[a-z0-9_-]$/.test(each)))
}

// Edits of fields.

function edited(
  fields: FieldList,
  { remove = [], set = {}, add = {} }: Edits = {},
  rules: RulesCase,
): FieldList {
  const result = fields.filter(
    ([name]) => ![...remove, ...Object.keys(set)].some(each => isSpelling(name, each)),
  )
  for (const [name, value] of Object.entries(set)) result.push([name, filled(value, rules)])
  for (const [name, value] of Object.entries(add))
    for (const each of [value].flat()) result.push([name, filled(each, rules)])
  return result
}

/** True when both names have the same letters and digits, with any other characters between them at the same places. */
function isSpelling(name: string, other: string): boolean {
  const parts = (text: string) =>
    text
      .toLowerCase()
      .split(/[^a-z0-9]+/)
      .join('-')
  return parts(name) === parts(other)
}

/** Replaces placeholders from left to right, so that a value that looks like a placeholder is not replaced again. */
function filled(template: string, { clientAddress, host, requestId }: RulesCase): string {
  const values: Record<string, string> = {
    '{clientAddress}': clientAddress,
    '{host}': host,
    '{requestId}': requestId,
  }
  let text = ''
  for (let at = 0; at < template.length; ) {
    const found = Object.keys(values).find(key => template.startsWith(key, at))
    text += found === undefined ? template[at] : values[found]
    at += found?.length ?? 1
  }
  return text
}
