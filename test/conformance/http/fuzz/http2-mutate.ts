// Generates one HTTP/2 request that may have a fault: fields that caused faults in proxies between HTTP/2 and HTTP/1.1; a
// body in frames of any size, with and without an end; and sometimes changed bytes. Seeded: the same random numbers give the
// same frames.

import { FLAG, FRAME, fieldBlock, frame } from '../../../support/http/http2-frames.ts'
import { type Random, randomInteger } from '../../../support/seeded-random.ts'

type Field = readonly [name: string, value: string]

export interface Http2Case {
  /** The bytes after the preface and the settings. */
  readonly bytes: Buffer
  /** The body, when its end was sent. Undefined: no backend may get a complete request. */
  readonly body: string | undefined
  /** True when bytes of frames were changed, so that the result is unknown. */
  readonly broken: boolean
}

const HIDDEN = 'GET /hidden HTTP/1.1\r\nHost: edge.test\r\n\r\n'
const NAMES = [
  'x',
  'X-Upper',
  'x:y',
  'x y',
  '',
  ':x',
  'x\r\ny',
  'x\0',
  'host',
  'Host',
  'cookie',
  'te',
  'trailer',
  'expect',
  'content-length',
  'transfer-encoding',
  'connection',
  'upgrade',
  'keep-alive',
  'proxy-connection',
  'http2-settings',
  'x-forwarded-for',
  'x_forwarded_for',
  'forwarded',
  'plugboard-hops',
  'x-request-id',
  'x\xe9',
  'transfer_encoding',
  'content-length ',
  ' content-length',
  'sec-websocket-key',
]
const VALUES = [
  '1',
  '0',
  '3',
  '+3',
  '3, 3',
  '18446744073709551617',
  'chunked',
  'gzip, chunked',
  'trailers',
  'close',
  'websocket',
  'a\r\nx-more: 1',
  `a\r\n\r\n${HIDDEN}`,
  'a\nb',
  'a\rb',
  'a\0b',
  ' a',
  'a ',
  '\ta',
  '',
  '\xe9',
  '"',
  'a'.repeat(3000),
  'edge.test',
  'neighbour.test',
  '100-continue',
  'content-length',
  'a, b',
  'host',
]
const METHODS = [
  'GET',
  'POST',
  'HEAD',
  'PUT',
  'OPTIONS',
  'CONNECT',
  'get',
  'G ET',
  `GET / HTTP/1.1\r\n${HIDDEN}`,
  'PRI',
  '',
]
const AUTHORITIES = [
  'edge.test',
  'EDGE.test',
  'edge.test:80',
  'edge.test:99999',
  'user@edge.test',
  'edge.test/',
  'other.test',
  '',
  'edge.test\r\nx: 1',
  'edge.test ',
  'neighbour.test',
  '[::1',
  'a b',
]
const PATHS = [
  '/',
  '*',
  '',
  'f',
  'http://edge.test/',
  '//f',
  '/../f',
  '/%00',
  '/a\\b',
  '/a b',
  '/a#b',
  '/\xe9',
  '/./f',
  '/%2e%2e/f',
  '/_plugboard/tunnel',
  `/ HTTP/1.1\r\n${HIDDEN}`,
]
const SCHEMES = ['http', 'https', 'ftp', '', 'http\r\n']

const pick = <T>(random: Random, list: readonly T[]): T =>
  list[randomInteger(random, 0, list.length - 1)] as T

/** `mark`: a text in the path, which identifies the request at the backend. */
export function mutatedHttp2(random: Random, mark: string): Http2Case {
  const odd = (chance: number): boolean => random() < chance
  const hasBody = odd(0.5)
  const fields: Field[] = [
    [':method', odd(0.15) ? pick(random, METHODS) : hasBody ? 'POST' : 'GET'],
    [':scheme', odd(0.05) ? pick(random, SCHEMES) : 'http'],
    [':path', odd(0.15) ? pick(random, PATHS) : `/f?n=${mark}`],
    [':authority', odd(0.15) ? pick(random, AUTHORITIES) : 'edge.test'],
    ['x-mark', mark],
  ]
  if (odd(0.05)) fields.push([':protocol', pick(random, ['websocket', 'connect-udp', ''])])
  while (odd(0.6)) fields.push([pick(random, NAMES), pick(random, VALUES)])
  // The mark is not changed.
  if (odd(0.05)) fields.splice(randomInteger(random, 0, 3), 1)
  if (odd(0.05)) fields.push(fields[randomInteger(random, 0, fields.length - 1)] as Field)
  if (odd(0.05)) fields.reverse()

  const frames: Buffer[] = []
  const block = fieldBlock(fields.flat())
  const split = odd(0.1) ? randomInteger(random, 0, block.length) : block.length
  const flags = hasBody ? 0 : FLAG.endStream
  const unsplit = split === block.length
  frames.push(frame(FRAME.headers, flags | (unsplit ? FLAG.endHeaders : 0), 1, block.subarray(0, split)))
  if (!unsplit) frames.push(frame(FRAME.continuation, FLAG.endHeaders, 1, block.subarray(split)))
  let body = ''
  let ended = !hasBody
  while (hasBody && !ended) {
    const piece = pick(random, [
      '',
      'abc',
      'x'.repeat(500),
      HIDDEN,
      '0\r\n\r\n',
      `3\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    ])
    body += piece
    const last = odd(0.5)
    const trailers = last && odd(0.3)
    frames.push(frame(FRAME.data, last && !trailers ? FLAG.endStream : 0, 1, Buffer.from(piece)))
    if (trailers) {
      const block = fieldBlock([pick(random, NAMES), pick(random, VALUES)])
      frames.push(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, block))
    }
    ended = last
    if (!last && odd(0.1)) break
  }
  if (!ended) frames.push(frame(FRAME.resetStream, 0, 1, Buffer.from([0, 0, 0, pick(random, [0, 2, 8])])))
  const bytes = Buffer.concat(frames)
  const broken = odd(0.2)
  // With Content-Length 0, the request is complete with its head. Further DATA ends the connection.
  const empty = fields.some(([name, value]) => name === 'content-length' && value === '0')
  const whole = ended || empty
  return {
    bytes: broken ? breakBytes(random, bytes) : bytes,
    body: whole ? (empty ? '' : body) : undefined,
    broken,
  }
}

function breakBytes(random: Random, bytes: Buffer): Buffer {
  const at = randomInteger(random, 0, bytes.length - 1)
  switch (randomInteger(random, 0, 3)) {
    case 0:
      bytes[at] = randomInteger(random, 0, 255)
      return bytes
    case 1:
      return bytes.subarray(0, at)
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])
    default: {
      const junk = Buffer.from([
        0,
        0,
        randomInteger(random, 0, 20),
        randomInteger(random, 0, 12),
        255,
        0,
        0,
        0,
        1,
      ])
      return Buffer.concat([bytes.subarray(0, at), junk, bytes.subarray(at)])
    }
  }
}
