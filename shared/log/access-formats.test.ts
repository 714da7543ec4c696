// The exact lines of each format, also for hostile values of clients.

import { expect, test } from 'vitest'
import { type AccessFields, type AccessLogFormat, createLog } from '../log.ts'

const REQUEST: AccessFields = {
  requestId: '0190b5a0-0000-7000-8000-000000000001',
  method: 'GET',
  host: 'shop.test',
  path: '/cart',
  status: 200,
  durationMs: 1.5,
  bytesIn: 3,
  bytesOut: 12,
  remoteAddress: '192.0.2.7',
}

const ROUTED: AccessFields = {
  ...REQUEST,
  protocol: 'h2',
  route: 'r1',
  mount: 'shop.test/',
  service: 'shop',
  telephoneId: 't1',
  peer: 'p2',
  subset: 'canary',
  headMs: 1.25,
  backendMs: 1,
  retries: 1,
  traceId: '0af7651916cd43dd8448eb211c80319c',
  replayOf: '0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5e',
  userAgent: 'curl/8.5.0',
  sampleRate: 0.1,
}

/** A client chooses these texts. Node gives each byte of a path or a field as one character. */
const HOSTILE: Partial<AccessFields> = {
  path: '/a"b\\c\u009b\u00e2\u0080\u00ae\t d',
  userAgent: 'x" 500 "\n\r\u001b[31m\u009b\u00e2\u0080\u00ae\\',
  host: 'a".test',
}

function lineOf(accessFormat: AccessLogFormat, record: AccessFields): string {
  const lines: string[] = []
  const log = createLog({
    level: 'info',
    format: 'json',
    accessFormat,
    colours: false,
    fields: { replicaId: 'p1' },
    wallTime: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6),
    sink: { write: line => lines.push(line), flush: () => Promise.resolve() },
  })
  log.access(record)
  expect(lines).toHaveLength(1)
  return lines[0] as string
}

test('combined has the fields of the Combined Log Format', () => {
  expect(lineOf('combined', REQUEST)).toBe(
    '192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] "GET /cart HTTP/1.1" 200 12 "-" "-"\n',
  )
  expect(lineOf('combined', ROUTED)).toBe(
    '192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] "GET /cart HTTP/2.0" 200 12 "-" "curl/8.5.0"\n',
  )
})

test('combined marks a request whose head could not be read, and a response without a body', () => {
  const unread = { ...REQUEST, method: '', host: '', path: '', status: 400, bytesOut: 0, remoteAddress: '' }
  expect(lineOf('combined', unread)).toBe('- - - [02/Jan/2026:03:04:05 +0000] "-" 400 - "-" "-"\n')
})

test('combined escapes quotes, control characters and bytes outside of ASCII', () => {
  expect(lineOf('combined', { ...REQUEST, ...HOSTILE })).toBe(
    '192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] "GET /a\\"b\\\\c%9b%e2%80%ae%09%20d HTTP/1.1" 200 12 "-" ' +
      '"x\\" 500 \\"???[31m?\\xc3\\xa2?\\xc2\\xae\\\\"\n',
  )
})

test('ecs names the fields as the Elastic Common Schema', () => {
  const line = lineOf('ecs', ROUTED)
  expect(
    line.startsWith('{"@timestamp":"2026-01-02T03:04:05.006Z","log.level":"info","message":"request",'),
  ).toBe(true)
  expect(JSON.parse(line)).toEqual({
    '@timestamp': '2026-01-02T03:04:05.006Z',
    'log.level': 'info',
    message: 'request',
    'ecs.version': '9.0.0',
    'service.name': 'plugboard',
    'service.node.name': 'p1',
    'event.dataset': 'plugboard.access',
    'event.category': ['web'],
    'event.type': ['access'],
    'event.outcome': 'success',
    'event.duration': 1_500_000,
    'http.request.id': REQUEST.requestId,
    'http.request.method': 'GET',
    'http.request.body.bytes': 3,
    'http.response.status_code': 200,
    'http.response.body.bytes': 12,
    'http.version': '2.0',
    'url.domain': 'shop.test',
    'url.path': '/cart',
    'client.address': '192.0.2.7',
    'client.ip': '192.0.2.7',
    'user_agent.original': 'curl/8.5.0',
    'trace.id': '0af7651916cd43dd8448eb211c80319c',
    'plugboard.route': 'r1',
    'plugboard.mount': 'shop.test/',
    'plugboard.service': 'shop',
    'plugboard.telephone': 't1',
    'plugboard.peer': 'p2',
    'plugboard.subset': 'canary',
    'plugboard.head_ms': 1.25,
    'plugboard.backend_ms': 1,
    'plugboard.retries': 1,
    'plugboard.replay_of': '0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5e',
    'plugboard.sample_rate': 0.1,
  })
})

test('ecs reports the failure of a request', () => {
  const failed = { ...REQUEST, status: 502, code: 'backend_closed', cause: 'connection_reset', detail: 'x' }
  expect(JSON.parse(lineOf('ecs', failed))).toMatchObject({
    'log.level': 'warn',
    'event.outcome': 'failure',
    'error.code': 'backend_closed',
    'error.message': 'x',
    'plugboard.cause': 'connection_reset',
  })
})

test.each(['json', 'ecs', 'text', 'combined'] as const)(
  '%s: a hostile request stays one line without control characters',
  format => {
    const line = lineOf(format, { ...ROUTED, ...HOSTILE, detail: 'a\u001b[31m\u202eb' })
    expect(line.slice(0, -1)).toMatch(/^[^\p{Cc}\p{Bidi_Control}\u2028\u2029]+$/u)
  },
)

test('json keeps the bytes of a hostile path as escapes', () => {
  const { path, userAgent, host } = JSON.parse(lineOf('json', { ...ROUTED, ...HOSTILE })) as AccessFields
  expect(path).toBe('/a"b\\c%9b%e2%80%ae%09%20d')
  expect(userAgent).toBe('x" 500 "???[31m?\u00e2?\u00ae\\')
  expect(host).toBe('a".test')
})

test('a token in a path, a user agent or a detail is replaced in each format', () => {
  const secret = 'eyJhbGciOi.eyJzdWIi.c2ln'
  const record = {
    ...ROUTED,
    path: `/reset/${secret}`,
    userAgent: `bot token=${secret}`,
    detail: `Bearer ${secret}`,
  }
  for (const format of ['json', 'text', 'combined', 'ecs'] as const)
    expect(lineOf(format, record)).not.toContain(secret)
})
