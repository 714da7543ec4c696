// Rows H1-H7, H10 and H13-H15: which fields of a request reach the backend.

import { CHUNKED, CLUSTER, type EdgeRow, type ExpectedFields, get, HOST, post, refusal } from './edge-row.ts'

/** The fields that Plugboard adds to each request. */
const ADDED = [
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
  'X-Forwarded-Port',
  'X-Real-IP',
  'Forwarded',
  'X-Request-ID',
  'Via',
]
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

const hopByHop: readonly EdgeRow[] = [
  {
    name: 'H1 hop-by-hop fields and fields that Connection names are removed, then the fields of Plugboard are added',
    send: get(
      '/',
      'cOnnection: keep-alive, X-Secret\r\nConnection: x-other, X-Forwarded-For, Host, X-Request-ID\r\n' +
        'X-Secret: 1\r\nx-OTHER: 2\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n' +
        'Proxy-Authorization: Basic eA==\r\nTE: gzip\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nX-Kept: 3\r\n',
    ),
    received: [{ names: ['Host', 'X-Kept', ...ADDED] }],
  },
  ...['Content-Length', 'Host', 'Transfer-Encoding'].map((name): EdgeRow => {
    const inChunks = name === 'Transfer-Encoding'
    return {
      name: `H1 Connection cannot remove ${name}`,
      send: inChunks
        ? post(`Connection: ${name}\r\n${CHUNKED}`, '3\r\nabc\r\n0\r\n\r\n')
        : post(`Connection: ${name}\r\nContent-Length: 3\r\n`, 'abc'),
      received: [
        { framing: inChunks ? 'chunked' : 'length 3', body: 'abc', fields: { host: ['edge.test'] } },
      ],
    }
  }),
  ...(
    [
      ['TE: trailers\r\n', ['trailers']],
      ['TE: Trailers\r\n', ['trailers']],
      ['TE: TRAILERS\r\n', ['trailers']],
      ['TE: trailers, gzip\r\n', []],
      ['TE: gzip\r\n', []],
      ['TE: \r\n', []],
      ['TE: trailers\r\nTE: trailers\r\n', []],
    ] as const
  ).map(
    ([fields, seen]): EdgeRow => ({
      name: `H2 ${JSON.stringify(fields)}`,
      send: get('/', `${fields}Connection: TE\r\n`),
      received: [{ fields: { te: seen } }],
    }),
  ),
]

/** The values of both families of fields about the client: For, Host, Proto, Port, X-Real-IP, Forwarded. */
function clientFields(values: readonly [string, string, string, string, string, string]): ExpectedFields {
  return Object.fromEntries(values.map((value, index) => [ADDED[index]!.toLowerCase(), [value]]))
}

interface Claims {
  readonly name: string
  readonly sent: string
  readonly host?: string
  readonly seen: Parameters<typeof clientFields>[0]
  readonly lacks?: RegExp
}

const ofClient: readonly Claims[] = [
  {
    name: 'H3 fields of an untrusted client about itself are replaced',
    sent:
      'X-Forwarded-For: 6.6.6.6\r\nx-forwarded-host: evil\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 666\r\n' +
      'X-Forwarded-Prefix: /evil\r\nX-Forwarded-Server: evil\r\nForwarded: for=6.6.6.6;host=evil\r\nX-Real-IP: 6.6.6.6\r\n',
    host: 'edge.test:4000',
    seen: [
      '127.0.0.1',
      'edge.test:4000',
      'http',
      '4000',
      '127.0.0.1',
      'for=127.0.0.1;proto=http;host="edge.test:4000"',
    ],
    lacks: /6\.6\.6\.6|evil|666/,
  },
]

const ofTrustedProxy: readonly Claims[] = [
  {
    name: 'H3 without fields of a trusted proxy, the proxy is the client',
    sent: '',
    seen: ['127.0.0.1', 'edge.test', 'http', '80', '127.0.0.1', 'for=127.0.0.1;proto=http;host=edge.test'],
  },
  {
    name: 'H3 the address of a trusted proxy is appended to its fields',
    sent:
      'X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 8.8.8.8\r\nX-Forwarded-Proto: https\r\n' +
      'X-Forwarded-Host: shop.example\r\nForwarded: for=6.6.6.6;proto=http\r\nX_Forwarded_For: 6.6.6.6\r\n' +
      'X-Real-IP: 6.6.6.6\r\nX-Forwarded-User: 6.6.6.6\r\nX-Forwarded-Server: 6.6.6.6\r\n' +
      'X-Forwarded: for=6.6.6.6\r\n',
    seen: [
      '9.9.9.9, 8.8.8.8, 127.0.0.1',
      'shop.example',
      'https',
      '443',
      '8.8.8.8',
      'for=9.9.9.9;proto=https;host=shop.example, for=8.8.8.8, for=127.0.0.1',
    ],
    lacks: /6\.6\.6\.6/,
  },
  {
    name: 'H3 a trusted proxy that sends Forwarded alone, with a port in the host',
    sent: 'Forwarded: for="[2001:db8::1]";proto=https;host="shop.example:8443"\r\n',
    seen: [
      '2001:db8::1, 127.0.0.1',
      'shop.example:8443',
      'https',
      '8443',
      '2001:db8::1',
      'for="[2001:db8::1]";proto=https;host="shop.example:8443", for=127.0.0.1',
    ],
  },
  {
    name: 'H3 a trusted proxy that sends Forwarded alone, with a port of the client',
    sent: 'Forwarded: for="[2001:db8::1]:4711";proto=https;host=shop.example\r\n',
    seen: [
      '2001:db8::1, 127.0.0.1',
      'shop.example',
      'https',
      '443',
      '2001:db8::1',
      'for="[2001:db8::1]";proto=https;host=shop.example, for=127.0.0.1',
    ],
  },
  {
    name: 'H3 a trusted proxy that sends a port in X-Forwarded-For, and wss',
    sent: 'X-Forwarded-For: 9.9.9.9:4711\r\nX-Forwarded-Proto: wss\r\nForwarded: for=6.6.6.6;proto=http\r\n',
    seen: [
      '9.9.9.9:4711, 127.0.0.1',
      'edge.test',
      'https',
      '443',
      '9.9.9.9',
      'for=9.9.9.9;proto=https;host=edge.test, for=127.0.0.1',
    ],
  },
  {
    name: 'H3 invalid fields of a trusted proxy are ignored',
    sent: 'X-Forwarded-Proto: gopher\r\nX-Forwarded-Host: a;proto=https\r\nX-Forwarded-Port: 70000\r\n',
    seen: ['127.0.0.1', 'edge.test', 'http', '80', '127.0.0.1', 'for=127.0.0.1;proto=http;host=edge.test'],
  },
  {
    name: 'H3 an invalid address of a trusted proxy adds no parameter to Forwarded',
    sent: 'X-Forwarded-For: ";proto=https, 9.9.9.9\r\n',
    seen: [
      '";proto=https, 9.9.9.9, 127.0.0.1',
      'edge.test',
      'http',
      '80',
      '9.9.9.9',
      'for=unknown;proto=http;host=edge.test, for=9.9.9.9, for=127.0.0.1',
    ],
  },
]

const claimRow =
  (proxy: 'plain' | 'limited') =>
  ({ name, sent, host, seen, lacks }: Claims): EdgeRow => ({
    name,
    proxy,
    send: get('/', sent, host),
    received: [{ fields: clientFields(seen), ...(lacks && { lacks }) }],
    access: { remoteAddress: seen[4] },
  })

const aboutTheClient: readonly EdgeRow[] = [
  ...ofClient.map(claimRow('plain')),
  ...ofTrustedProxy.map(claimRow('limited')),
  {
    name: 'H3 the prefix that a trusted proxy has removed comes before the stripped mount',
    proxy: 'limited',
    send: get('/api/x', 'X-Forwarded-Prefix: /outer/\r\n', 'stripped.test'),
    received: [{ target: '/x', fields: { 'x-forwarded-prefix': ['/outer/api'] } }],
  },
]

const dropped: readonly EdgeRow[] = [
  ...[
    'X_Forwarded_For',
    'X.Forwarded.For',
    'x_forwarded-host',
    'X-Real_IP',
    'X_Request_ID',
    'X-Request_ID',
  ].map(
    (name): EdgeRow => ({
      name: `H4 the alias ${name} is dropped`,
      send: get('/', `${name}: 6.6.6.6\r\n`),
      received: [{ lacks: /6\.6\.6\.6/ }],
    }),
  ),
  ...[
    'Transfer_Encoding',
    'Content_Length',
    'Transfer---Encoding',
    'content.length',
    'Keep_Alive',
    'Proxy_Authorization',
    'Max_Forwards',
    'X--Forwarded-For',
    'x-request--id',
  ].map(
    (name): EdgeRow => ({
      name: `H4 the misspelt ${name} is dropped`,
      send: post(`${name}: chunked6666\r\nContent-Length: 3\r\n`, 'abc'),
      received: [{ framing: 'length 3', body: 'abc', lacks: /chunked6666/ }],
    }),
  ),
  ...['Proxy', 'PROXY'].map(
    (name): EdgeRow => ({
      name: `H13 ${name} is dropped`,
      send: get('/', `${name}: http://6.6.6.6\r\n`),
      received: [{ lacks: /6\.6\.6\.6/ }],
    }),
  ),
  ...['Plugboard-Error', 'plugboard_hops', 'PLUGBOARD.Service'].map(
    (name): EdgeRow => ({
      name: `H5 ${name} of a client is dropped`,
      send: get('/', `${name}: 1\r\n`),
      received: [{ names: ['Host', ...ADDED] }],
    }),
  ),
  ...(
    [
      ['plugboard-session=1.a.2.s', []],
      ['a=1; plugboard-session=s; b=2', ['a=1; b=2']],
      ['__Host-plugboard-session=s; a=1', ['a=1']],
      [' a=1;plugboard-session = s;plugboard-sessions=t', ['a=1;plugboard-sessions=t']],
      ['a=plugboard-session; b=2', ['a=plugboard-session; b=2']],
    ] as const
  ).map(
    ([sent, seen]): EdgeRow => ({
      name: `H5 the session of the dashboard is removed from the cookies ${sent}`,
      send: get('/', `Cookie: ${sent}\r\n`),
      received: [{ fields: { cookie: [...seen] } }],
    }),
  ),
  {
    name: 'H14 other names with _ are forwarded',
    send: get('/', 'X_Custom: 1\r\nContent_Type: 2\r\nX-Custom: 3\r\n'),
    received: [{ names: ['Host', 'X_Custom', 'Content_Type', 'X-Custom', ...ADDED] }],
  },
  {
    name: 'H14 underscoreHeaders: drop removes all fields and trailers with _ in their name',
    proxy: 'limited',
    send: post(
      `X_Custom: 1\r\nContent_Type: 2\r\nX-Custom: 3\r\n${CHUNKED}`,
      '1\r\nx\r\n0\r\nX_Trailer: 1\r\nX-Trailer: 2\r\n\r\n',
    ),
    received: [{ names: ['Host', 'X-Custom', ...ADDED], trailers: [['X-Trailer', '2']] }],
  },
]

const unchanged: readonly EdgeRow[] = [
  {
    name: 'H6 Cookie and Set-Cookie are not joined, and keep their order',
    send: get('/', 'cOOkie: a=1\r\nX: y\r\nCookie: b=2\r\n'),
    backend: {
      fields: [
        ['Set-Cookie', 'a=1'],
        ['Set-Cookie', 'b=2, c'],
        ['set-cookie', 'd'],
      ],
    },
    responses: [{ status: 200, fields: { 'set-cookie': ['a=1', 'b=2, c', 'd'] } }],
    received: [{ names: ['Host', 'cOOkie', 'X', 'Cookie', ...ADDED], fields: { cookie: ['a=1', 'b=2'] } }],
  },
  {
    name: 'H7 names keep their case and order, values their bytes',
    send: get('/', 'x-A: 1\r\nX-b: \xfc"\\\t!\r\nx-a: 3\r\n'),
    backend: { fields: [['x-MIXED', '\xe9']] },
    responses: [{ status: 200, fields: { 'x-MIXED': ['\xe9'] } }],
    received: [
      {
        names: ['Host', 'x-A', 'X-b', 'x-a', ...ADDED],
        fields: { 'x-a': ['1', '3'], 'x-b': ['\xfc"\\\t!'] },
      },
    ],
  },
  {
    name: 'H15 the trace context of a client reaches the backend unchanged',
    send: get(
      '/',
      'TraceParent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntraceparent: 00-x\r\ntracestate: a=1\r\ntracestate: ,a=2\r\n',
    ),
    received: [
      {
        names: ['Host', 'TraceParent', 'traceparent', 'tracestate', 'tracestate', ...ADDED],
        fields: {
          traceparent: ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', '00-x'],
          tracestate: ['a=1', ',a=2'],
        },
      },
    ],
  },
  {
    name: 'H1 values that are the name of a field reach the backend unchanged',
    send: `GET / HTTP/1.1\r\nX-Before: Host\r\nX-Removed: 1\r\n${HOST}Connection: X-Removed\r\n\r\n`,
    received: [{ fields: { 'x-before': ['Host'], 'x-removed': [], host: ['edge.test'] } }],
  },
]

const requestIds: readonly EdgeRow[] = [
  ...(
    [
      ['abc-123', true],
      ['x'.repeat(128), true],
      ['x'.repeat(129), false],
      ['a b', false],
      ['\xe9', false],
      ['', false],
    ] as const
  ).map(
    ([id, kept]): EdgeRow => ({
      name: `H10 X-Request-ID ${JSON.stringify(id)} is ${kept ? 'kept' : 'replaced'}`,
      send: get('/', `X-Request-ID: ${id}\r\n`),
      received: [{ fields: { 'x-request-id': [kept ? id : UUID_V7] } }],
      access: { status: 200 },
    }),
  ),
  {
    name: 'H10 two X-Request-ID are replaced by a new one',
    send: get('/', 'X-Request-ID: a\r\nX-Request-ID: b\r\n'),
    received: [{ fields: { 'x-request-id': [UUID_V7] } }],
    access: { status: 200 },
  },
]

/** The value of a Via line of this cluster. */
const OWN = `1.1 ${CLUSTER}`
const INNER = { fields: [['Via', '1.1 inner']] } as const

const hops: readonly EdgeRow[] = [
  ...(
    [
      ['1.1', '', [OWN]],
      ['1.0', '', [`1.0 ${CLUSTER}`]],
      ['1.1', 'Via: 1.0 fred, 1.1 p.example.net\r\n', ['1.0 fred, 1.1 p.example.net', OWN]],
      ['1.1', 'Via: 1.0 a, 2 b (c)\r\nvia: 1.1 d\r\n', ['1.0 a, 2 b (c)', '1.1 d', OWN]],
      ['1.1', 'Connection: Via\r\nVia: 1.0 a\r\n', [OWN]],
    ] as const
  ).map(
    ([version, fields, via]): EdgeRow => ({
      name: `H11 HTTP/${version} with ${JSON.stringify(fields)} reaches the backend with one line more`,
      send: `GET / HTTP/${version}\r\n${HOST}${fields}\r\n`,
      backend: INNER,
      responses: [{ status: 200, fields: { via: ['1.1 inner', OWN] } }],
      received: [{ fields: { via } }],
    }),
  ),
  ...[
    OWN,
    `1.1 other, ${OWN}`,
    `1.0 a, 2.0 ${CLUSTER}, 1.1 b`,
    `1.1 a\r\nVia: ${OWN}\r\nConnection: Via`,
  ].map(
    (via): EdgeRow => ({
      name: `H11 a request with Via: ${JSON.stringify(via)} has passed this cluster before and gets 508`,
      send: `${post(`Via: ${via}\r\nContent-Length: 2\r\n`, 'ab')}${get('/next')}`,
      responses: [
        { status: 508, code: 'loop_detected', fields: { via: [] } },
        { status: 200, body: 'GET /next ' },
      ],
      received: [{ target: '/next' }],
    }),
  ),
  {
    name: 'H11 a request that has passed another cluster is forwarded',
    proxy: 'limited',
    send: get('/', `Via: ${OWN}\r\n`),
    received: [{ fields: { via: [OWN, /^1\.1 plugboard-/] } }],
  },
  {
    name: 'H11 an edit of Via cannot hide a loop, and may remove the line of a response',
    send: get('/', 'Via: 1.1 client\r\n', 'via-edits.test'),
    backend: INNER,
    responses: [{ status: 200, fields: { via: [] } }],
    received: [{ fields: { via: ['1.1 other', OWN] } }],
  },
  ...(
    [
      ['OPTIONS', '7', ['6']],
      ['OPTIONS', '2', ['1']],
      ['OPTIONS', '1', ['0']],
      ['OPTIONS', '007', ['6']],
      ['OPTIONS', '9'.repeat(400), ['999999']],
      ['GET', '0', ['0']],
      ['GET', 'x', ['x']],
    ] as const
  ).map(
    ([method, value, seen]): EdgeRow => ({
      name: `H12 ${method} with Max-Forwards: ${value} is forwarded with ${seen[0]}`,
      send: get('/', `Max-Forwards: ${value}\r\n`).replace('GET', method),
      received: [{ method, fields: { 'max-forwards': seen } }],
    }),
  ),
  {
    name: 'H12 OPTIONS with Max-Forwards: 0 ends here',
    send: get('/', 'Max-Forwards: 0\r\n').replace('GET', 'OPTIONS'),
    responses: [{ status: 204, fields: { allow: [/OPTIONS/] } }],
    received: [],
  },
  ...['x', '-1', '1.5', '', '1, 2', 'many', '1\r\nMax-Forwards: 2'].map(value =>
    refusal(
      `H12 OPTIONS with Max-Forwards: ${JSON.stringify(value)} is refused`,
      get('/', `Max-Forwards: ${value}\r\n`).replace('GET', 'OPTIONS'),
    ),
  ),
]

export const FIELDS: readonly EdgeRow[] = [
  ...hopByHop,
  ...aboutTheClient,
  ...dropped,
  ...unchanged,
  ...requestIds,
  ...hops,
]
