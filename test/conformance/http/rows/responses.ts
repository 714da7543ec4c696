// Rows R1-R10: which parts of a response of the backend reach the client.

import { BARRIER, chunked, type EdgeRow, get, HOST, post } from './edge-row.ts'

const fields: readonly EdgeRow[] = [
  {
    name: 'R1 hop-by-hop fields and fields that Connection names are removed',
    send: get(),
    backend: {
      status: 200,
      fields: [
        ['Connection', 'keep-alive, X-Secret'],
        ['X-Secret', '1'],
        ['Keep-Alive', 'timeout=9'],
        ['Proxy-Authenticate', 'Basic'],
        ['Upgrade', 'h2c'],
        ['TE', 'trailers'],
        ['Proxy-Connection', 'x'],
        ['Plugboard-Error', 'x'],
        ['X-Kept', '2'],
        ['Set-Cookie', 'a=1'],
        ['Set-Cookie', 'b=2'],
        ['X-Request-ID', 'fake'],
        ['Date', 'then'],
      ],
      body: 'ok',
    },
    responses: [
      {
        status: 200,
        body: 'ok',
        fields: { 'x-kept': ['2'], 'x-request-id': [/^[0-9a-f-]{36}$/], date: ['then'] },
        names: [
          'X-Kept',
          'Set-Cookie',
          'Set-Cookie',
          'Date',
          'X-Request-ID',
          'Via',
          'Content-Length',
          'Connection',
          'Keep-Alive',
        ],
        lacks: /secret|keep-alive:.*9|proxy-|upgrade|^te|^plugboard/im,
      },
    ],
    received: [{}],
  },
  {
    name: 'R5 a 103 is relayed without fields of the hop and of Plugboard, then the response',
    send: get(),
    backend: {
      interim: {
        status: 103,
        fields: [
          ['Link', '</a>'],
          ['Connection', 'x'],
          ['X-Request-ID', 'a'],
        ],
      },
      status: 200,
      body: 'ok',
    },
    responses: [{ interim: { status: 103, fields: [['Link', '</a>']] }, status: 200, body: 'ok' }],
    received: [{}],
  },
  {
    name: 'R5 an HTTP/1.0 client gets no interim response',
    send: `GET / HTTP/1.0\r\n${HOST}\r\n`,
    backend: { interim: { status: 103, fields: [['Link', '</a>']] }, status: 200, body: 'ok' },
    responses: [{ status: 200, body: 'ok' }],
    closes: true,
    received: [{}],
  },
  {
    name: 'R7 trailers of a response are relayed, except fields of framing, authentication and of Plugboard',
    send: get('/', 'TE: trailers\r\n'),
    backend: {
      status: 200,
      fields: [['Trailer', 'X-Sum']],
      chunked: true,
      body: 'ok',
      trailers: [
        ['X-Sum', '1'],
        ['Content-Length', '9'],
        ['Set-Cookie', 'a'],
        ['Authorization', 'b'],
        ['Host', 'c'],
        ['Plugboard-Error', 'd'],
      ],
    },
    responses: [{ status: 200, body: 'ok', trailers: [['X-Sum', '1']] }],
    received: [{}],
  },
  {
    name: 'R7 an HTTP/1.0 client gets the response without trailers and without Trailer',
    send: `GET / HTTP/1.0\r\n${HOST}\r\n`,
    backend: { status: 200, fields: [['Trailer', 'A']], chunked: true, body: 'x', trailers: [['A', 'b']] },
    responses: [{ status: 200, body: 'x', fields: { trailer: [], 'transfer-encoding': [] } }],
    closes: true,
    received: [{}],
  },
  {
    name: 'R7 trailers of a request are forwarded, except fields of routing, authentication and of Plugboard',
    send: chunked(
      '2\r\nok\r\n0\r\nX-Sum: 1\r\nHost: a\r\nX-Forwarded-For: 6\r\nCookie: b\r\nAuthorization: c\r\n' +
        'Plugboard-Hops: 1\r\n\r\n',
      'Trailer: X-Sum\r\n',
    ),
    received: [{ body: 'ok', trailers: [['X-Sum', '1']] }],
  },
]

const withoutBody: readonly EdgeRow[] = [
  ...(
    [
      ['GET', 204, []],
      ['GET', 205, ['0']],
      ['GET', 304, ['5']],
      ['HEAD', 200, ['5']],
    ] as const
  ).map(
    ([method, status, length]): EdgeRow => ({
      name: `R6 ${method} ${status} has no body, also when the backend sends one`,
      send: get('/empty').replace('GET', method) + get(BARRIER),
      backend: { status, fields: [['Content-Length', '5']], body: 'extra' },
      responses: [
        { status, body: '', fields: { 'content-length': length }, ...(method === 'HEAD' && { to: 'HEAD' }) },
        { status: 200, body: `GET ${BARRIER} ` },
      ],
      received: [{ method, target: '/empty' }],
    }),
  ),
  {
    name: 'R6 HEAD has no body when the backend sends chunks',
    send: get().replace('GET', 'HEAD'),
    backend: { status: 200, chunked: true, body: 'extra' },
    responses: [{ to: 'HEAD', status: 200, body: '' }],
    received: [{ method: 'HEAD' }],
  },
]

const expectations: readonly EdgeRow[] = [
  ...['200-ok', '100-continue, x', 'x, 100-continue', '100-continue;q=1', ''].map(
    (value): EdgeRow => ({
      name: `R4 Expect: ${value} gets 417`,
      send: post(`Expect: ${value}\r\nContent-Length: 3\r\n`),
      responses: [{ status: 417, code: 'expectation_failed', fields: { connection: ['close'] } }],
      closes: true,
      received: [],
    }),
  ),
  {
    name: 'R4 a client that does not wait for the 100',
    send: post('Expect: 100-continue\r\nContent-Length: 3\r\n', 'abc'),
    received: [{ body: 'abc' }],
  },
  {
    name: 'R4 a request with an expectation and without a body is the last one of its connection',
    send: get('/', 'Expect: 100-continue\r\n') + get('/hidden'),
    responses: [{ status: 200, fields: { connection: ['close'] } }],
    closes: true,
    received: [{ target: '/' }],
  },
  {
    name: 'R4 a request with an expectation that got no 100 is the last one of its connection with a response',
    send: post('Expect: 100-continue\r\nContent-Length: 3\r\n', 'abc') + get('/hidden'),
    responses: [{ status: 200, fields: { connection: ['close'] } }],
    closes: true,
    received: [{ target: '/' }],
  },
  {
    name: 'R4 an expectation to an unknown host gets 404, and no bytes are parsed behind it',
    send:
      'POST / HTTP/1.1\r\nHost: unknown.example\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc' +
      get('/hidden'),
    responses: [{ status: 404, fields: { connection: ['close'] } }],
    closes: true,
    received: [],
  },
  {
    name: 'R4 HTTP/1.0 has no expectations',
    send: post('Expect: 100-continue\r\nContent-Length: 3\r\n', 'abc', '1.0'),
    received: [{ body: 'abc', fields: { expect: [] } }],
  },
]

const lastRequests: readonly EdgeRow[] = [
  {
    name: 'R10 Connection: close ends the connection, and no bytes are parsed behind it',
    send: `${get('/', 'Connection: close\r\n')}${get('/hidden')}`,
    responses: [{ status: 200, fields: { connection: ['close'] } }],
    closes: true,
    received: [{ target: '/' }],
  },
  {
    name: 'R10 HTTP/1.0 gets no chunks, and the end of the connection',
    send: `GET / HTTP/1.0\r\n${HOST}\r\n`,
    backend: { status: 200, chunked: true, body: 'ok' },
    responses: [{ status: 200, body: 'ok', fields: { 'transfer-encoding': [] } }],
    closes: true,
    received: [{ method: 'GET', target: '/' }],
  },
  {
    name: 'R10 HTTP/1.0 with keep-alive keeps the connection',
    send: ['/1', '/2']
      .map(target => `GET ${target} HTTP/1.0\r\n${HOST}Connection: keep-alive\r\n\r\n`)
      .join(''),
    responses: ['/1', '/2'].map(target => ({
      status: 200,
      body: `GET ${target} `,
      fields: { connection: ['keep-alive'] },
    })),
    received: [{ target: '/1' }, { target: '/2' }],
  },
]

const repeated: readonly EdgeRow[] = [
  {
    name: 'R13 a status of retryStatuses is relayed when no other line is left',
    send: get('/', '', 'repeated.test') + get('/2', '', 'repeated.test'),
    backend: { status: 503, body: 'busy' },
    responses: [
      { status: 503, body: 'busy', fields: { 'plugboard-error': [] } },
      { status: 503, body: 'busy' },
    ],
    received: [{ target: '/' }, { target: '/2' }],
  },
]

export const RESPONSES: readonly EdgeRow[] = [
  ...fields,
  ...withoutBody,
  ...expectations,
  ...lastRequests,
  ...repeated,
]
