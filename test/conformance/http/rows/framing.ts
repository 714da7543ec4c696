// Rows F3-F17: broken bodies, and requests that Plugboard forwards with their framing.

import { CHUNKED, chunked, type EdgeRow, get, HOST, post } from './edge-row.ts'

const BROKEN_CHUNKS: readonly (readonly [name: string, chunks: string])[] = [
  ['F5 bare LF after a size', '3\nabc\r\n0\r\n\r\n'],
  ['F5 bare LF after a chunk', '3\r\nabc\n0\r\n\r\n'],
  ['F5 bare CR after a size', '3\rabc\r\n0\r\n\r\n'],
  ['F5 a chunk longer than its size', '3\r\nabcdef\r\n0\r\n\r\n'],
  ['F5 bare LF at the end', '0\r\n\n'],
  ['F5 bare LF in an extension', '3;a\nb\r\nabc\r\n0\r\n\r\n'],
  ['F5 size with 0x', '0x3\r\nabc\r\n0\r\n\r\n'],
  ['F5 size with a sign', '+3\r\nabc\r\n0\r\n\r\n'],
  ['F5 size with a blank before', ' 3\r\nabc\r\n0\r\n\r\n'],
  ['F5 size with a blank behind', '3 \r\nabc\r\n0\r\n\r\n'],
  ['F5 empty size', '\r\nabc\r\n0\r\n\r\n'],
  ['F5 size over 64 bits', '10000000000000003\r\nabc\r\n0\r\n\r\n'],
  ['F5 folded trailer', '3\r\nabc\r\n0\r\nX: a\r\n b\r\n\r\n'],
  ['F5 space before the colon of a trailer', '3\r\nabc\r\n0\r\nX : a\r\n\r\n'],
  ['F5 NUL in a trailer', '3\r\nabc\r\n0\r\nX: \0\r\n\r\n'],
]

/** The head may be at the backend before the fault arrives. The backend must see an abort then, not a complete request. */
const ABORTED_IF_BEGUN = [{ target: '/', state: 'aborted', optional: true }] as const

const brokenBodies: readonly EdgeRow[] = [
  ...BROKEN_CHUNKS.map(([name, chunks]) => ({
    name,
    send: chunked(chunks) + get('/hidden'),
    responses: [{ status: 400 }],
    closes: true,
    received: ABORTED_IF_BEGUN,
  })),
  {
    name: 'F6 extensions of a chunk over 16 KiB',
    send: chunked(`3;${'a'.repeat(60_000)}\r\nabc\r\n0\r\n\r\n`),
    responses: [{ status: 413, fields: { connection: ['close'] } }],
    received: ABORTED_IF_BEGUN,
  },
  {
    name: 'F15 a body shorter than its length is an abort',
    send: post('Content-Length: 10\r\n', 'abc'),
    endAfter: 'abc',
    responses: [],
    received: [{ state: 'aborted', body: 'abc' }],
  },
  {
    name: 'F15 chunks without the last one are an abort',
    send: chunked('3\r\nabc\r\n'),
    endAfter: 'abc',
    responses: [],
    received: [{ state: 'aborted', body: 'abc' }],
  },
]

const forwarded: readonly EdgeRow[] = [
  {
    name: 'F6 chunk extensions are accepted and not relayed',
    send: chunked('3;a=b;c="d"\r\nabc\r\n0;e\r\n\r\n'),
    received: [{ framing: 'chunked', body: 'abc' }],
  },
  {
    name: 'F3 the coding is compared without case',
    send: post('transfer-encoding: CHUNKED\r\n', '3\r\nabc\r\n0\r\n\r\n'),
    received: [{ framing: 'chunked', body: 'abc' }],
  },
  {
    name: 'F8 the authority of the target replaces Host',
    send: get('http://edge.test:81/a?b', '', 'other.test'),
    received: [{ target: '/a?b', fields: { host: ['edge.test:81'], 'x-forwarded-host': ['edge.test:81'] } }],
  },
  {
    name: 'F8 a target without a path is the path /',
    send: get('HTTP://EDGE.test?b'),
    received: [{ target: '/?b' }],
  },
  {
    name: 'F9 several blanks around the target count as one',
    send: `GET  /a  HTTP/1.1\r\n${HOST}\r\n`,
    received: [{ method: 'GET', target: '/a' }],
  },
  {
    name: 'F9 OPTIONS * gets a response of Plugboard itself',
    send: `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`,
    responses: [{ status: 204, fields: { allow: [/OPTIONS/] } }],
    received: [],
  },
  {
    name: 'F10 as many fields as the limit allows reach the backend',
    send: get('/', `${Array.from({ length: 198 }, (_, index) => `X-${index}: y\r\n`).join('')}X-Last: z\r\n`),
    received: [{ fields: { 'x-last': ['z'] } }],
  },
  ...['POST', 'GET', 'HEAD', 'DELETE', 'OPTIONS'].flatMap(method =>
    [
      ['Content-Length: 3\r\n', 'abc', 'length 3', 'abc'],
      [CHUNKED, '3\r\nabc\r\n0\r\n\r\n', 'chunked', 'abc'],
      ['Content-Length: 0\r\n', '', 'length 0', ''],
    ].map(
      ([field = '', sent = '', framing = '', body = '']): EdgeRow => ({
        name: `F12 ${method} keeps its framing: ${framing}`,
        send: `${method} / HTTP/1.1\r\n${HOST}${field}\r\n${sent}`,
        responses: [{ status: 200, ...(method === 'HEAD' && { to: 'HEAD' }) }],
        received: [{ method, framing, body }],
      }),
    ),
  ),
  {
    name: 'F13 CONNECT is refused, and the bytes behind it are no request',
    send: `CONNECT edge.test:443 HTTP/1.1\r\n${HOST}\r\n${get('/hidden')}`,
    responses: [{ status: 405, code: 'method_not_allowed', fields: { allow: [/GET/] } }],
    closes: true,
    received: [],
  },
  ...[
    ['003', '3', 'abc'],
    ['0000000000000003', '3', 'abc'],
    ['00', '0', ''],
  ].map(
    ([sent = '', seen = '', body = '']): EdgeRow => ({
      name: `F17 Content-Length: ${sent} reaches the backend as ${seen}`,
      send: post(`Content-Length: ${sent}\r\n`, body),
      received: [{ framing: `length ${seen}`, body }],
    }),
  ),
]

const traceOf = (fields: string): string => get('/traced?a', fields).replace('GET', 'TRACE')
const SECRETS = 'Cookie: secret\r\nAuthorization: Basic x\r\n'

const trace: readonly EdgeRow[] = [
  {
    name: 'F16 TRACE gets 405',
    send: traceOf('Max-Forwards: 3\r\n'),
    responses: [{ status: 405, code: 'method_not_allowed', fields: { allow: [/, OPTIONS$/] } }],
    received: [],
  },
  {
    name: 'F16 with allowTrace, TRACE is forwarded',
    proxy: 'limited',
    send: traceOf('X: y\r\n'),
    responses: [{ status: 200, body: 'TRACE /traced?a ' }],
    received: [{ method: 'TRACE', fields: { 'max-forwards': [] } }],
  },
  {
    name: 'F16 with allowTrace, Max-Forwards is one less',
    proxy: 'limited',
    send: traceOf('Max-Forwards: 3\r\n'),
    received: [{ method: 'TRACE', fields: { 'max-forwards': ['2'] } }],
  },
  {
    name: 'F16 with allowTrace, the hop at which Max-Forwards is 0 returns the request without its secrets',
    proxy: 'limited',
    send: traceOf(`${SECRETS}X: \xe9\r\nMax-Forwards: 0\r\n`),
    responses: [
      {
        status: 200,
        body: traceOf('X: \xe9\r\nMax-Forwards: 0\r\n'),
        fields: { 'content-type': ['message/http'] },
      },
    ],
    received: [],
  },
  {
    name: 'F16 with allowTrace, TRACE with a body gets 400',
    proxy: 'limited',
    send: `${traceOf('Content-Length: 1\r\n')}x`,
    responses: [{ status: 400, fields: { connection: ['close'] } }],
    closes: true,
    received: [],
  },
  ...['CONNECT a:1', 'OPTIONS *', 'OPTIONS /a'].map(
    (start): EdgeRow => ({
      name: `F16 with allowTrace, TRACE is among the methods in the response to ${start}`,
      proxy: 'limited',
      send: `${start} HTTP/1.1\r\n${HOST}Max-Forwards: 0\r\n\r\n`,
      responses: [{ status: start.startsWith('C') ? 405 : 204, fields: { allow: [/, OPTIONS, TRACE$/] } }],
      received: [],
    }),
  ),
]

const pipelined: readonly EdgeRow[] = [
  {
    name: 'F14 pipelined requests get their responses in order',
    send: `\r\n${get('/1')}${get('/2')}${get('/3')}`,
    backend: { holdUntil: 3 },
    responses: ['GET /1 ', 'GET /2 ', 'GET /3 '].map(body => ({ status: 200, body })),
    received: [{ target: '/1' }, { target: '/2' }, { target: '/3' }],
  },
  {
    name: 'F14 pipelined requests with bodies get their responses in order',
    send: [
      chunked('3\r\nabc\r\n0\r\n\r\n').replace('/', '/1'),
      post('Content-Length: 3\r\n', 'def').replace('/', '/2'),
      get('/3'),
    ].join(''),
    responses: ['POST /1 abc', 'POST /2 def', 'GET /3 '].map(body => ({ status: 200, body })),
    received: [
      { target: '/1', body: 'abc' },
      { target: '/2', body: 'def' },
      { target: '/3', body: '' },
    ],
  },
  {
    name: 'F14 a malformed request behind valid ones gets its response after theirs',
    send: `${get('/1')}${get('/2')}BAD\r\n\r\n${get('/hidden')}`,
    backend: { holdUntil: 2 },
    responses: [{ status: 200, body: 'GET /1 ' }, { status: 200, body: 'GET /2 ' }, { status: 400 }],
    closes: true,
    received: [{ target: '/1' }, { target: '/2' }],
  },
  {
    name: 'F14 a refused request between others keeps its place',
    send: `${get('/1')}${get('/2', '', 'unknown.example')}BAD\r\n\r\n`,
    responses: [{ status: 200 }, { status: 404 }, { status: 400 }],
    closes: true,
    received: [{ target: '/1' }],
  },
  ...[
    ['a length', post('Content-Length: 3\r\n', 'abc')],
    ['chunks', chunked('3\r\nabc\r\n0\r\n\r\n')],
  ].map(
    ([framing = '', good = '']): EdgeRow => ({
      name: `F14 a malformed request in one packet with a whole body of ${framing}`,
      send: `${good}BAD\r\n\r\n`,
      responses: [{ status: 200, body: 'POST / abc' }, { status: 400 }],
      closes: true,
      received: [{ body: 'abc' }],
    }),
  ),
  {
    name: 'F14 the 65th request that waits on one connection gets 503',
    send: get().repeat(65),
    backend: { holdUntil: 64 },
    responses: [
      ...Array.from({ length: 64 }, () => ({ status: 200 })),
      { status: 503, code: 'overloaded', fields: { 'retry-after': [/^\d+$/] } },
    ],
    received: Array.from({ length: 64 }, () => ({ target: '/' })),
  },
]

export const FRAMING: readonly EdgeRow[] = [...brokenBodies, ...forwarded, ...trace, ...pipelined]
