// Generates requests that are valid, have a fault, or are ambiguous. A plain stream of requests is built from parts. Some
// parts are replaced by texts that caused faults in proxies, and sometimes single bytes are changed. Seeded: the same random
// numbers give the same bytes. `NONCE` stands for the number of the stream and is never split.

import { type Random, randomInteger } from '../../../support/seeded-random.ts'

const NONCE = '\ue000'

const CODINGS = [
  'chunked',
  'Chunked',
  ',chunked',
  'chunked,',
  'gzip, chunked',
  'chunked, chunked',
  'chunked, identity',
  'identity',
  'x',
  'xchunked',
  '"chunked"',
  'chunked;q=1',
  '',
  ' ',
  '\tchunked',
  'chunked\t',
  '\x0bchunked',
  'chunked\0',
  'chu nked',
]
const LENGTHS = [
  '0',
  '1',
  '3',
  '5',
  '00003',
  '10',
  '100',
  '+3',
  '-1',
  '0x3',
  '3, 3',
  '3,4',
  '',
  ' ',
  '1e1',
  '3 ',
  '\t3',
  '3\0',
  '3;',
  '9007199254740993',
  '18446744073709551617',
  '3_0',
  '1 2',
  '4294967299',
]
const SIZES = [
  '3',
  '03',
  '003',
  '0x3',
  '+3',
  '-3',
  ' 3',
  '3 ',
  '3\t',
  '',
  'g',
  '3;a',
  '3;a=b',
  '3;a="b;c"',
  '3; a',
  '3;\r',
  '3;a\n',
]
const SIZES_TOO = ['0', '00', '2', '4', 'FFFFFFFFFFFFFFFF', '10000000000000003', '7fffffff', '3\n', '3\r']
const ENDS = ['\n', '\r', '\r\r\n', '\n\r', '\r\n ', '\r\n\t', '\0\r\n', '', '\r\n\r\n', '\x0b\r\n', '\x85']
const HOSTS = [
  'edge.test',
  'EDGE.TEST',
  'edge.test.',
  'edge.test:80',
  'edge.test:',
  'edge.test:65536',
  'edge.test:99999',
  'neighbour.test',
  'unknown.test',
  '',
  ' ',
  'a b',
  'a@edge.test',
  'edge.test/',
  'edge.test/a',
  'edge.test, x',
  'edge..test',
  '[::1]',
  '[::1',
  'edge.test\\',
  'edge.test?',
  'edge.test#',
  '%65dge.test',
  '\xe9dge.test',
  'edge.test\0',
  '.edge.test',
  'edge.test:80:80',
  '*',
  '-edge.test',
]
const TARGETS = [
  '/',
  '*',
  '',
  '/#a',
  '/?a#b',
  '//edge.test/',
  '/a/../b',
  '/../a',
  '/a/%2e%2e/%2E./b',
  '/%2e',
  '/a%2fb',
  '/a%5cb',
  '/a\\b',
  '/%00',
  '/a%00b',
  '/a;b/..;/c',
  '/%',
  '/%zz',
  '/a//b',
  '/./',
  '/a/.',
  '/a/..',
  'a',
  'edge.test:80',
  'http://edge.test/',
  'http://other.test/',
  'HTTP://edge.test',
  'http://edge.test?a',
  'http://a@edge.test/',
  'http:///',
  'http:/edge.test',
  'https://neighbour.test/x/../y',
  'ftp://edge.test/',
  'http://edge.test\\x/',
  '/_plugboard/tunnel',
  '/%5fplugboard/tunnel',
  '/x/../_plugboard/a',
  '/\xe9',
  '/a|b^c',
  '/a\tb',
  '/a\x7f',
  '/a?b\\c',
  '/a?/../b',
  '/http://edge.test/',
]
const METHODS = [
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'HEAD',
  'TRACE',
  'CONNECT',
  'PRI',
  'get',
  'GE T',
  'BREW',
  'G\0T',
  '',
  'GET\t',
  'PROPFIND',
]
const VERSIONS = [
  'HTTP/1.0',
  'HTTP/1.1',
  'HTTP/1.2',
  'HTTP/0.9',
  'HTTP/2.0',
  'http/1.1',
  'HTTP/1.10',
  'HTTP/1',
  'HTTP/ 1.1',
  'HTTP/1.1 ',
  '',
  'HTTP/1.1\t',
  'HTTP/01.1',
]
const FIELDS: readonly (readonly [name: string, value: string])[] = [
  ['Expect', '100-continue'],
  ['Expect', '100-Continue'],
  ['Expect', 'x, 100-continue'],
  ['Expect', '200-ok'],
  ['Expect', ''],
  ['Connection', 'close'],
  ['Connection', 'keep-alive'],
  ['Connection', 'Upgrade'],
  ['Connection', 'Host, X-Keep-1, Content-Length'],
  ['Connection', 'Transfer-Encoding, TE'],
  ['Upgrade', 'websocket'],
  ['Upgrade', 'h2c'],
  ['Upgrade', 'x, h2c'],
  ['HTTP2-Settings', 'AAMAAABk'],
  ['TE', 'trailers'],
  ['TE', 'chunked'],
  ['Trailer', 'X-Sum'],
  ['X-Keep-2', '\xe9\x80"\\'],
  ['X-Keep-3', ''],
  ['X-Keep-4', 'a\tb'],
  ['X-Keep-5', 'a\x7f'],
  ['X Keep', 'a'],
  ['X-Keep ', 'a'],
  [' X-Keep', 'a'],
  ['', 'a'],
  ['X(Y)', 'a'],
  ['Content_Length', '9'],
  ['Transfer_Encoding', 'chunked'],
  ['Content-Length\0', '9'],
  ['X-Forwarded-For', '6.6.6.6'],
  ['Forwarded', 'for=6.6.6.6'],
  ['Plugboard-Hops', '1'],
]
const TRAILERS = [
  'X-Sum: 1',
  'Content-Length: 9',
  'Transfer-Encoding: chunked',
  'Host: x',
  'X : y',
  'X: a\r\n b',
  'X: \0',
  ': x',
  'x',
  'X: a\nY: b',
  'Cookie: a',
]
const BYTES = [
  '\0',
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '#',
  '?',
  '/',
  '\\',
  '%',
  '\x7f',
  '\x80',
  '\xff',
  '0',
  'A',
  '\x0b',
  '"',
]

interface Parts {
  method: string
  blanks: [string, string]
  target: string
  version: string
  lineEnd: string
  fields: [name: string, separator: string, value: string, end: string][]
  headEnd: string
  body: string
}

/** Returns the bytes of one connection, latin1, with `nonce` in every target, field and body that is not mutated. */
export function mutatedStream(random: Random, nonce: string): string {
  const pick = <T>(items: readonly T[]): T => items[randomInteger(random, 0, items.length - 1)]!
  const chance = (probability: number) => random() < probability
  let stream = ''
  const count = chance(0.7) ? 1 : randomInteger(random, 2, 3)
  for (let index = 0; index < count; index += 1) {
    const parts = plainRequest(pick)
    if (chance(0.9))
      for (let times = pick([1, 1, 1, 2, 3]); times > 0; times -= 1) mutate(parts, random, pick)
    stream += write(parts)
  }
  if (chance(0.5)) stream += hidden()
  if (chance(0.25))
    for (let times = pick([1, 1, 2, 5]); times > 0; times -= 1) stream = mutateBytes(stream, random, pick)
  return stream.replaceAll(NONCE, `~${nonce}~`)
}

/** Returns the positions at which the bytes are split into writes: at most two, mostly no position. */
export function cuts(random: Random, length: number): number[] {
  if (random() < 0.6) return []
  const places = [
    randomInteger(random, 1, Math.max(1, length - 1)),
    randomInteger(random, 1, Math.max(1, length - 1)),
  ]
  return places.slice(0, random() < 0.5 ? 1 : 2).sort((a, b) => a - b)
}

type Pick = <T>(items: readonly T[]) => T

/** A request for another path, as attackers hide it in bodies and behind the end of requests (request smuggling). */
const hidden = () => `GET /hidden?n=${NONCE} HTTP/1.1\r\nHost: edge.test\r\nX-Keep-9: ${NONCE}\r\n\r\n`

function plainRequest(pick: Pick): Parts {
  const parts: Parts = {
    method: pick(['GET', 'GET', 'POST', 'POST', 'POST', 'DELETE', 'HEAD', 'OPTIONS']),
    blanks: [' ', ' '],
    target: `/a?n=${NONCE}`,
    version: 'HTTP/1.1',
    lineEnd: '\r\n',
    fields: [
      ['Host', ': ', 'edge.test', '\r\n'],
      ['X-Keep-1', ': ', NONCE, '\r\n'],
    ],
    headEnd: '\r\n',
    body: '',
  }
  const body = pick(['', 'abc', `n=${NONCE}`, hidden()])
  const framing = pick(['none', 'length', 'chunked'])
  if (framing === 'length') {
    // The nonce is longer than its placeholder. The difference is computed at the end.
    parts.body = body.replaceAll(NONCE, 'none')
    parts.fields.push(['Content-Length', ': ', String(parts.body.length), '\r\n'])
  } else if (framing === 'chunked') {
    const data = body.replaceAll(NONCE, 'none')
    const chunk = data === '' ? '' : `${data.length.toString(16)}\r\n${data}\r\n`
    parts.fields.push(['Transfer-Encoding', ': ', 'chunked', '\r\n'])
    parts.body = `${chunk}0\r\n${pick(['', '', '', `X-Sum: ${NONCE}\r\n`])}\r\n`
  }
  return parts
}

function mutate(parts: Parts, random: Random, pick: Pick): void {
  const at = randomInteger(random, 0, parts.fields.length - 1)
  // When all fields were removed, an empty field is used.
  const field = parts.fields[at] ?? ['', '', '', '']
  const insert = (name: string, value: string) => {
    parts.fields.splice(randomInteger(random, 0, parts.fields.length), 0, [
      name,
      pick([': ', ':', ' : ', ':\t']),
      value,
      '\r\n',
    ])
  }
  const mutations: (() => void)[] = [
    () => insert(pick(['Transfer-Encoding', 'transfer-encoding', 'Transfer-Encoding']), pick(CODINGS)),
    () => insert('Content-Length', pick(LENGTHS)),
    () => replace(parts, 'Transfer-Encoding', pick(CODINGS)),
    () => replace(parts, 'Content-Length', pick(LENGTHS)),
    () => replace(parts, 'Host', pick(HOSTS)),
    () => insert(pick(['Host', 'host', 'HOST']), pick(HOSTS)),
    () => insert(...pick(FIELDS)),
    () => insert(...pick(FIELDS)),
    () => insert('Connection', 'Upgrade') ?? insert('Upgrade', pick(['websocket', 'h2c', 'x'])),
    () => void parts.fields.splice(at, 1),
    () => void parts.fields.splice(at, 0, [...field]),
    () => {
      field[3] = pick(ENDS)
    },
    () => {
      field[1] = pick([' : ', ':', '\t:', ' ', '::', ':\r\n ', '=', ':  ', ':\x0b'])
    },
    () => {
      parts.lineEnd = pick(ENDS)
    },
    () => {
      parts.headEnd = pick(ENDS)
    },
    () => {
      const target = pick(TARGETS)
      parts.target = /[#?*]|^$|:80$/.test(target) ? target : `${target}?n=${NONCE}`
    },
    () => {
      parts.method = pick(METHODS)
    },
    () => {
      parts.version = pick(VERSIONS)
    },
    () => {
      parts.blanks[pick([0, 1] as const)] = pick(['  ', '\t', '', '\x0b', '\r', ' \t'])
    },
    () => {
      parts.body = parts.body.replace(/^[0-9a-f]+/, pick([...SIZES, ...SIZES_TOO]))
    },
    () => {
      parts.body = parts.body.replace(/\r\n/, pick(ENDS))
    },
    () => {
      parts.body = parts.body.replace(/\r\n\r\n$/, `\r\n${pick(TRAILERS)}\r\n\r\n`)
    },
    () => {
      parts.body += pick(['', '\r\n', 'x', '0\r\n\r\n', hidden()])
    },
    () => {
      parts.body = parts.body.slice(0, randomInteger(random, 0, parts.body.length))
    },
    () => {
      if (random() < 0.1) insert('X-Keep-8', 'y'.repeat(pick([5000, 30_000, 70_000])))
    },
    () => {
      if (random() < 0.1) parts.target = `/${'a'.repeat(pick([5000, 17_000, 70_000]))}?n=${NONCE}`
    },
    () => {
      if (random() < 0.1) for (let count = pick([50, 250]); count > 0; count -= 1) insert('X-Many', 'z')
    },
  ]
  pick(mutations)()
}

function replace(parts: Parts, name: string, value: string): void {
  for (const field of parts.fields) if (field[0] === name) field[2] = value
}

function write({ method, blanks, target, version, lineEnd, fields, headEnd, body }: Parts): string {
  const lines = fields.map(field => field.join('')).join('')
  return `${method}${blanks[0]}${target}${blanks[1]}${version}${lineEnd}${lines}${headEnd}${body}`
}

function mutateBytes(stream: string, random: Random, pick: Pick): string {
  const at = randomInteger(random, 0, stream.length - 1)
  if (stream[at] === NONCE) return stream
  const before = stream.slice(0, at)
  const after = stream.slice(at + 1)
  switch (pick(['replace', 'insert', 'delete', 'repeat', 'cut'])) {
    case 'replace':
      return before + pick(BYTES) + after
    case 'insert':
      return before + pick(BYTES) + stream.slice(at)
    case 'delete':
      return before + after
    case 'repeat':
      return before + stream.slice(at, at + randomInteger(random, 1, 80)) + stream.slice(at)
    default:
      return random() < 0.3 && before.length > 0 ? before : stream
  }
}
