// Generates random rules of a route (addresses, basic auth, CORS, edits of fields) with a random request and response. Their
// parts are close to the rules: an address beside a network, a password in another encoding, an origin with one more letter.
// Seeded: the same random numbers give the same case.

import { type Random, randomInteger } from '../../../support/seeded-random.ts'

export type FieldList = (readonly [name: string, value: string])[]

export interface Edits {
  readonly remove?: readonly string[]
  readonly set?: Readonly<Record<string, string>>
  readonly add?: Readonly<Record<string, string | readonly string[]>>
}

export interface CorsCase {
  readonly origins: readonly string[]
  readonly methods?: readonly string[]
  readonly headers?: readonly string[]
  readonly exposed?: readonly string[]
  readonly credentials?: boolean
  readonly maxAgeSeconds?: number
}

export interface User {
  readonly name: string
  readonly password: string
}

export interface RulesCase {
  readonly allow: readonly string[] | undefined
  readonly deny: readonly string[] | undefined
  readonly users: readonly User[] | undefined
  readonly realm: string | undefined
  readonly forwardUser: string | undefined
  readonly forwardAuthorization: boolean
  readonly cors: CorsCase | undefined
  readonly requestHeaders: Edits | undefined
  readonly responseHeaders: Edits | undefined
  readonly method: string
  readonly clientAddress: string
  readonly host: string
  readonly requestId: string
  readonly fields: FieldList
  readonly response: FieldList
}

/** The hashes are computed once, so that a case computes no hash of a password. */
export const USERS: readonly User[] = [
  { name: 'ada', password: 'lovelace' },
  { name: 'Ada', password: 'a:b: c' },
  { name: 'müller', password: 'pässwörd €' },
  { name: ' ', password: '   ' },
  { name: '50%', password: '😀'.repeat(20) },
]

const NAMES = [
  'X-Role',
  'x_role',
  'X.Role',
  'X--Role',
  'X-User',
  'x_user',
  'X-U',
  'Server',
  'Cookie',
  'X-Role-',
  '-X-Role',
]
const EDITED = [
  'X-Role',
  'X_Role',
  'x-user-id',
  'Server',
  'Cookie',
  'X-A.B',
  'Set-Cookie',
  'Cache-Control',
  'X',
]
const VALUES = [
  '',
  '1',
  'a b',
  '{host}',
  'by {clientAddress}, {requestId}',
  '{host}{host}',
  '{ host }',
  '{}',
  '€'.slice(1),
  'ÿ',
  '$&',
  '{host',
  '}{',
]
const LABELS = ['app', 'a', 'b-c', 'evil', 'x_y', '1']
const METHODS = ['GET', 'HEAD', 'POST', 'OPTIONS', 'OPTIONS', 'OPTIONS', 'PUT', 'options']
const REQUESTED = [
  'x-a',
  'x-a, x-b',
  'x-a,x-b',
  'x-a;y',
  '*',
  '',
  'x a',
  'x-a,',
  ',',
  'x'.repeat(1100),
  '<x>',
  'authorization',
]
const VARY = [
  'Origin',
  'origin',
  'Accept',
  'accept, ORIGIN',
  '*',
  'Accept-Encoding , Origin2',
  '',
  'Accept,*',
]

type Pick = <Value>(list: readonly Value[]) => Value

export function rulesCase(random: Random, id: number): RulesCase {
  const pick: Pick = list => list[randomInteger(random, 0, list.length - 1)] as never
  const maybe = <Value>(share: number, make: () => Value): Value | undefined =>
    random() < share ? make() : undefined
  const some = <Value>(max: number, make: () => Value): Value[] =>
    Array.from({ length: randomInteger(random, 1, max) }, make)
  const base = addressBits(random)
  const near = () => networkNear(random, pick, base)
  const users = maybe(0.5, () => uniqueUsers(some(3, () => pick(USERS))))
  const origins = some(3, () => originText(random, pick))
  const credentials = maybe(0.4, () => random() < 0.5)
  const cors = maybe(0.6, () => ({
    origins: credentials === true || random() < 0.8 ? origins : [...origins, '*'],
    ...(random() < 0.3 && { methods: some(2, () => pick(['PUT', 'PATCH', 'X-M'])) }),
    ...(random() < 0.3 && { headers: some(2, () => pick(['X-A', 'x-b'])) }),
    ...(random() < 0.3 && { exposed: some(2, () => pick(['X-A', 'X-B'])) }),
    ...(credentials !== undefined && { credentials }),
    ...(random() < 0.3 && { maxAgeSeconds: randomInteger(random, 0, 86_400) }),
  }))
  return {
    allow: maybe(0.4, () => some(3, near)),
    deny: maybe(0.3, () => some(2, near)),
    users,
    realm: maybe(0.3, () => pick(['Staff', 'a "b" \\c', "it's"])),
    forwardUser: maybe(0.5, () => pick(['X-User', 'X-U', 'x-user-id'])),
    forwardAuthorization: random() < 0.3,
    cors,
    requestHeaders: maybe(0.5, () => editsOf(random, pick)),
    responseHeaders: maybe(0.5, () => editsOf(random, pick)),
    method: pick(METHODS),
    clientAddress: addressText(random, pick, mutatedBits(random, base)),
    host: pick(['app.test', '[2001:db8::1]:8080', 'a{requestId}.test']),
    requestId: `id-${id}`,
    fields: requestFields(random, pick, users ?? [], origins),
    response: responseFields(random, pick),
  }
}

function uniqueUsers(users: readonly User[]): User[] {
  return [...new Map(users.map(user => [user.name, user])).values()]
}

// Addresses: 128 bits, of which an IPv4 address is the last 32 behind ::ffff:0:0/96.

const MAPPED = 0xffffn << 32n
const isMapped = (bits: bigint): boolean => bits >> 32n === 0xffffn

function addressBits(random: Random): bigint {
  const word = () => BigInt(randomInteger(random, 0, 0xffff))
  if (random() < 0.6) return MAPPED | (word() << 16n) | word()
  if (random() < 0.2) return word()
  return (0x20010db8n << 96n) | (word() << 64n) | word()
}

function mutatedBits(random: Random, bits: bigint): bigint {
  const shown = isMapped(bits) ? 32 : 128
  switch (randomInteger(random, 0, 3)) {
    case 0:
      return bits
    case 1:
      return bits ^ (1n << BigInt(randomInteger(random, 0, shown - 1)))
    case 2:
      return bits ^ BigInt(randomInteger(random, 0, 0xffff))
    default:
      return addressBits(random)
  }
}

function groupsOf(bits: bigint): string[] {
  return Array.from({ length: 8 }, (_, index) => ((bits >> BigInt(112 - index * 16)) & 0xffffn).toString(16))
}

function dotted(bits: bigint): string {
  return [24n, 16n, 8n, 0n].map(shift => ((bits >> shift) & 0xffn).toString()).join('.')
}

/** Returns a random spelling of an address. */
function addressText(random: Random, pick: Pick, bits: bigint): string {
  if (random() < 0.02) return pick(['unknown', '', '10.0.0.1:80', '[::1]', '10.0.0', '::1::'])
  if (isMapped(bits) && random() < 0.7) return dotted(bits)
  const zone = random() < 0.05 ? '%eth0' : ''
  return ipv6Text(random, pick, bits) + zone
}

function ipv6Text(random: Random, pick: Pick, bits: bigint): string {
  const groups = groupsOf(bits)
  const padded = random() < 0.2 ? groups.map(group => group.padStart(4, '0')) : groups
  let text = padded.join(':')
  if (random() < 0.7) text = text.replace(/(?:^|:)(?:0{1,4}:)+0{1,4}(?=:|$)/, ':').replace(/^:(?!:)/, '::')
  if (text.endsWith(':') && !text.endsWith('::')) text += ':'
  if (!text.includes('::') && text.split(':').length !== 8) text = padded.join(':')
  if (isMapped(bits) && random() < 0.6)
    text = pick([`::ffff:${dotted(bits)}`, `0:0:0:0:0:ffff:${dotted(bits)}`])
  return random() < 0.3 ? text.toUpperCase() : text
}

function networkNear(random: Random, pick: Pick, base: bigint): string {
  const bits = random() < 0.8 ? mutatedBits(random, base) : addressBits(random)
  if (random() < 0.05) return pick(['0.0.0.0/0', '::/0', '::ffff:0:0/96', '::/80'])
  if (isMapped(bits) && random() < 0.7)
    return random() < 0.3 ? dotted(bits) : `${dotted(bits)}/${randomInteger(random, 0, 32)}`
  const text = ipv6Text(random, pick, bits)
  if (random() < 0.3) return text
  return `${text}/${isMapped(bits) ? randomInteger(random, 96, 128) : randomInteger(random, 0, 128)}`
}

// Origins, fields and edits.

function originText(random: Random, pick: Pick): string {
  const scheme = pick(['https', 'https', 'http', 'app'])
  const name = Array.from({ length: randomInteger(random, 1, 2) }, () => pick(LABELS)).join('.')
  const port = pick(['', '', ':8443'])
  return `${scheme}://${random() < 0.4 ? '*.' : ''}${name}.test${port}`
}

function requestedOrigin(random: Random, pick: Pick, origins: readonly string[]): string {
  const origin = pick(origins).replace('*', () =>
    pick(['a', 'a.b', '', '.', 'A', 'a/', 'a@', '*', 'a b', 'é', 'a..b']),
  )
  const at = randomInteger(random, 0, origin.length)
  switch (randomInteger(random, 0, 5)) {
    case 0:
      return origin.slice(0, at) + pick(['x', '.', '/', 'X', ':', ' ', '\u00e9']) + origin.slice(at)
    case 1:
      return pick(['null', '', 'https://evil.test', originText(random, pick)])
    default:
      return origin
  }
}

function requestFields(
  random: Random,
  pick: Pick,
  users: readonly User[],
  origins: readonly string[],
): FieldList {
  const fields: FieldList = []
  for (let count = randomInteger(random, 0, 4); count > 0; count -= 1)
    fields.push([pick(NAMES), pick(VALUES)])
  const times = pick([0, 1, 1, 1, 1, 2])
  for (let count = times; count > 0; count -= 1)
    fields.push([pick(['Authorization', 'authorization']), credential(random, pick, users)])
  for (let count = pick([0, 1, 1, 1, 2]); count > 0; count -= 1)
    fields.push([pick(['Origin', 'origin']), requestedOrigin(random, pick, origins)])
  if (random() < 0.6) fields.push(['Access-Control-Request-Method', pick(['PUT', '', 'X'])])
  if (random() < 0.1) fields.push(['access-control-request-method', 'PUT'])
  if (random() < 0.6) fields.push(['Access-Control-Request-Headers', pick(REQUESTED)])
  return fields.sort(() => random() - 0.5)
}

function credential(random: Random, pick: Pick, users: readonly User[]): string {
  const user = users.length > 0 && random() < 0.8 ? pick(users) : pick(USERS)
  const name = random() < 0.1 ? pick(['', 'nobody', 'ADA', 'ada ', 'a\u0000']) : user.name
  const password =
    random() < 0.15 ? pick(['', 'wrong', 'lovelace ', 'x'.repeat(300), pick(USERS).password]) : user.password
  const text = random() < 0.05 ? name : `${name}:${password}`
  const bytes = Buffer.from(text, random() < 0.1 ? 'latin1' : 'utf8')
  let encoded = bytes.toString(random() < 0.05 ? 'base64url' : 'base64')
  if (random() < 0.05) encoded = encoded.replace(/=+$/, '')
  if (random() < 0.05) encoded += pick(['=', ' ', '!', ',x'])
  const scheme = random() < 0.8 ? 'Basic' : pick(['basic', 'BASIC', 'Bearer', 'Basi', 'Basicx', ''])
  return scheme + (random() < 0.9 ? ' ' : pick(['', '  ', '\t', ' \t '])) + encoded
}

function responseFields(random: Random, pick: Pick): FieldList {
  const fields: FieldList = []
  for (let count = randomInteger(random, 0, 5); count > 0; count -= 1) {
    const kind = randomInteger(random, 0, 3)
    if (kind === 0) fields.push([pick(['Vary', 'vary', 'VARY']), pick(VARY)])
    else if (kind === 1)
      fields.push([
        pick([
          'Access-Control-Allow-Origin',
          'access-control-x',
          'ACCESS-CONTROL-ALLOW-CREDENTIALS',
          'Access-Control',
        ]),
        '*',
      ])
    else fields.push([pick([...NAMES, 'Set-Cookie', 'Cache-Control']), pick(VALUES)])
  }
  return fields
}

function editsOf(random: Random, pick: Pick): Edits {
  const names = () => [
    ...new Map(
      Array.from({ length: randomInteger(random, 1, 3) }, () => pick(EDITED)).map(name => [
        name.toLowerCase(),
        name,
      ]),
    ).values(),
  ]
  const value = () => pick(VALUES.filter(text => /^(?:[^\s].*)?$/.test(text)))
  return {
    ...(random() < 0.5 && { remove: names() }),
    ...(random() < 0.5 && { set: Object.fromEntries(names().map(name => [name, value()])) }),
    ...(random() < 0.5 && {
      add: Object.fromEntries(names().map(name => [name, random() < 0.5 ? value() : [value(), value()]])),
    }),
  }
}
