// Field names that an HTTP hop treats specially, recognised without lower-casing or allocating. Both ends of a tunnel are hops,
// so both use this table. Names and values are in a flat list, as in Node's `rawHeaders`, with case and order as received.
// Independent of sockets, routes and policy.

/** The results of `fieldOf`. Each name that is not listed is `other`, and the hop forwards the field unchanged. */
export const FIELD = {
  other: 0,
  /** Keep-Alive, Proxy-Connection, Proxy-Authenticate, Proxy-Authorization, HTTP2-Settings: dropped at a hop. */
  hopByHop: 1,
  connection: 2,
  transferEncoding: 3,
  upgrade: 4,
  te: 5,
  contentLength: 6,
  host: 7,
  date: 8,
  expect: 9,
  requestId: 10,
  trailer: 11,
  via: 12,
  maxForwards: 13,
} as const

export type Field = (typeof FIELD)[keyof typeof FIELD]

/** True when `text` equals `lowerCase` without regard to case. `lowerCase` has lower-case letters, digits and `-` only. */
export function equalsIgnoringCase(text: string, lowerCase: string): boolean {
  if (text.length !== lowerCase.length) return false
  for (let index = 0; index < lowerCase.length; index += 1) {
    const expected = lowerCase.charCodeAt(index)
    const code = text.charCodeAt(index)
    if (code !== expected && (code | 0x20) !== expected) return false
  }
  return true
}

/** Returns the kind of a field name. RFC 9110 section 7.6.1 and RFC 9112 name the fields that end at each hop. */
export function fieldOf(name: string): Field {
  switch (name.length) {
    case 2:
      return equalsIgnoringCase(name, 'te') ? FIELD.te : FIELD.other
    case 3:
      return equalsIgnoringCase(name, 'via') ? FIELD.via : FIELD.other
    case 4:
      if (equalsIgnoringCase(name, 'host')) return FIELD.host
      return equalsIgnoringCase(name, 'date') ? FIELD.date : FIELD.other
    case 6:
      return equalsIgnoringCase(name, 'expect') ? FIELD.expect : FIELD.other
    case 7:
      if (equalsIgnoringCase(name, 'upgrade')) return FIELD.upgrade
      return equalsIgnoringCase(name, 'trailer') ? FIELD.trailer : FIELD.other
    case 10:
      if (equalsIgnoringCase(name, 'connection')) return FIELD.connection
      return equalsIgnoringCase(name, 'keep-alive') ? FIELD.hopByHop : FIELD.other
    case 12:
      if (equalsIgnoringCase(name, 'x-request-id')) return FIELD.requestId
      return equalsIgnoringCase(name, 'max-forwards') ? FIELD.maxForwards : FIELD.other
    case 14:
      if (equalsIgnoringCase(name, 'content-length')) return FIELD.contentLength
      return equalsIgnoringCase(name, 'http2-settings') ? FIELD.hopByHop : FIELD.other
    case 16:
      return equalsIgnoringCase(name, 'proxy-connection') ? FIELD.hopByHop : FIELD.other
    case 17:
      return equalsIgnoringCase(name, 'transfer-encoding') ? FIELD.transferEncoding : FIELD.other
    case 18:
      return equalsIgnoringCase(name, 'proxy-authenticate') ? FIELD.hopByHop : FIELD.other
    case 19:
      return equalsIgnoringCase(name, 'proxy-authorization') ? FIELD.hopByHop : FIELD.other
    default:
      return FIELD.other
  }
}

/**
 * Returns the fields that a Connection value names, in lower case, without the usual ones (`close`, `keep-alive`, `upgrade`,
 * `te`). These fields end at this hop too. Undefined when the value names no such field, which is nearly always the case.
 */
export function nominatedFields(connectionValue: string): string[] | undefined {
  switch (connectionValue) {
    case 'keep-alive':
    case 'close':
    case 'Upgrade':
    case 'upgrade':
    case 'keep-alive, Upgrade':
      return undefined
    default:
  }
  let named: string[] | undefined
  for (const part of connectionValue.split(',')) {
    const token = part.trim().toLowerCase()
    switch (token) {
      case '':
      case 'close':
      case 'keep-alive':
      case 'upgrade':
      case 'te':
        break
      default:
        named ??= []
        named.push(token)
    }
  }
  return named
}

/** True when a flat list holds the field (lower case) more than once. Node's `headers` keep only the first one. */
export function repeatsField(raw: readonly string[], lowerCase: string): boolean {
  let count = 0
  for (let index = 0; index + 1 < raw.length; index += 2) {
    if (equalsIgnoringCase(raw[index] as string, lowerCase)) count += 1
  }
  return count > 1
}

/** Removes the named fields (lower case) from a flat list, in place. */
export function removeFields(fields: string[], names: readonly string[]): void {
  removeFieldsWhere(fields, name => names.includes(name.toLowerCase()))
}

/** Removes the fields for which `leaves(name)` returns true, in place. */
export function removeFieldsWhere(fields: string[], leaves: (name: string) => boolean): void {
  let kept = 0
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] as string
    if (leaves(name)) continue
    fields[kept] = name
    fields[kept + 1] = fields[index + 1] as string
    kept += 2
  }
  fields.length = kept
}

/**
 * Returns a name as it is read by a backend that makes variables of fields: in lower case, with one hyphen for each run of
 * characters that are not letters or digits.
 */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, '-')
}

/** True when a comma-separated list holds the token (lower case), compared without case. */
export function listHolds(value: string, token: string): boolean {
  if (value.length === token.length) return equalsIgnoringCase(value, token)
  if (value.length < token.length) return false
  return value.split(',').some(part => equalsIgnoringCase(part.trim(), token))
}

/** Returns the number of a Content-Length value. Undefined when the value is not 1*DIGIT or not a safe integer. */
export function parseContentLength(value: string): number | undefined {
  if (value.length === 0 || value.length > 16) return undefined
  let length = 0
  for (let index = 0; index < value.length; index += 1) {
    const digit = value.charCodeAt(index) - 0x30
    if (digit < 0 || digit > 9) return undefined
    length = length * 10 + digit
  }
  return Number.isSafeInteger(length) ? length : undefined
}

const FORBIDDEN_TRAILERS: ReadonlySet<string> = new Set([
  // framing and hops
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'content-length',
  'upgrade',
  'http2-settings',
  'proxy',
  // routing
  'host',
  'forwarded',
  'via',
  'x-request-id',
  'x-real-ip',
  'max-forwards',
  // authentication and state
  'authorization',
  'www-authenticate',
  'authentication-info',
  'cookie',
  'set-cookie',
  // fields that a recipient needs before the body
  'content-encoding',
  'content-type',
  'content-range',
  'cache-control',
  'pragma',
  'expect',
  'range',
  'age',
  'date',
  'expires',
  'location',
  'retry-after',
  'vary',
  'warning',
])

/** True when the proxy relays a trailer field with this name, in any spelling (RFC 9110 section 6.5.1, row H4). */
export function allowedInTrailers(name: string): boolean {
  const plain = plainName(name)
  if (FORBIDDEN_TRAILERS.has(plain)) return false
  return !/^(?:proxy-|if-|x-forwarded(?:-|$)|plugboard-)/.test(plain)
}

/** Returns the trailers that the proxy relays. Undefined when it relays no field. */
export function relayedTrailers(trailers: readonly string[]): string[] | undefined {
  let kept: string[] | undefined
  for (let index = 0; index + 1 < trailers.length; index += 2) {
    const name = trailers[index] as string
    if (!allowedInTrailers(name)) continue
    kept ??= []
    kept.push(name, trailers[index + 1] as string)
  }
  return kept
}
