import { expect, test } from 'vitest'
import { MAX_FIELD_TEXT } from './log/safe-fields.ts'
import { type AccessFields, createLog, type LogOptions } from './log.ts'
import { coloursWanted } from './text/colours.ts'

function memory(options: Partial<LogOptions> = {}) {
  const lines: string[] = []
  const log = createLog({
    level: 'info',
    format: 'json',
    colours: false,
    wallTime: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6),
    sink: { write: line => lines.push(line), flush: () => Promise.resolve() },
    ...options,
  })
  return { log, lines, records: () => lines.map(line => JSON.parse(line) as Record<string, unknown>) }
}

const request: AccessFields = {
  requestId: 'r1',
  method: 'GET',
  host: 'a.test',
  path: '/x',
  status: 200,
  durationMs: 1.5,
  bytesIn: 0,
  bytesOut: 12,
  remoteAddress: '127.0.0.1',
}

test('a line is JSON with level, time, message and fields', () => {
  const { log, records } = memory({ fields: { replicaId: 'p1' } })
  log.child({ part: 'tunnel' }).info('tunnel opened', { telephoneId: 't1', service: undefined })
  log.debug('not at this level')
  expect(records()).toEqual([
    {
      level: 'info',
      time: '2026-01-02T03:04:05.006Z',
      replicaId: 'p1',
      part: 'tunnel',
      msg: 'tunnel opened',
      telephoneId: 't1',
    },
  ])
  expect(log.enabled('debug')).toBe(false)
})

test('an access line has the same shape, and can be switched off', () => {
  const on = memory({ fields: { replicaId: 'p1' } })
  on.log.access(request)
  expect(on.records()).toEqual([
    { level: 'info', time: '2026-01-02T03:04:05.006Z', replicaId: 'p1', msg: 'request', ...request },
  ])
  const off = memory({ accessLog: false })
  off.log.access(request)
  expect(off.lines).toEqual([])
})

test('the access line of a request that failed behind Plugboard is a warning', () => {
  const { log, records } = memory()
  const levels = [
    { status: 200 },
    { status: 404, code: 'route_not_found' },
    { status: 499 },
    { status: 500 },
    { status: 503, code: 'no_telephone', cause: 'not_connected' },
    // The response was cut after its head.
    { status: 200, code: 'backend_closed', cause: 'response_cut' },
  ]
  for (const fields of levels) log.access({ ...request, ...fields })
  expect(records().map(({ level }) => level)).toEqual(['info', 'info', 'info', 'warn', 'warn', 'warn'])
})

test('the text of a Telephone in an access line is bounded, and holds no secret', () => {
  const { log, records } = memory()
  log.access({ ...request, status: 502, detail: `https://user:hunter2@backend/ ${'x'.repeat(5000)}` })
  const [line] = records()
  expect(String(line?.detail).length).toBeLessThanOrEqual(1100)
  expect(String(line?.detail)).not.toContain('hunter2')
})

test('readable lines replace control characters, and show errors with their stack', () => {
  const { log, lines } = memory({ format: 'text' })
  log.warn('odd request', { path: '/\u001b[31m', count: 400, host: 'a b', err: new Error('broken') })
  expect(lines[0]).toMatch(/^03:04:05\.006 WARN {2}odd request path="\/\\u001b\[31m" count=400 host="a b"\n/)
  expect(lines[0]).toContain('\n    Error: broken\n        at ')
})

test('output has colours on a terminal without NO_COLOR', () => {
  expect(coloursWanted({}, true)).toBe(true)
  expect(coloursWanted({}, false)).toBe(false)
  expect(coloursWanted({ NO_COLOR: '1', FORCE_COLOR: '1' }, true)).toBe(false)
  expect(coloursWanted({ FORCE_COLOR: '1' }, false)).toBe(true)
  const { log, lines } = memory({ format: 'text', colours: true })
  log.info('hello')
  expect(lines[0]).toContain('\u001b[32mINFO ')
})

const FORMATS = ['json', 'text'] as const
const secret = 'eyJhbGciOi.eyJzdWIi.c2ln'

test.each(FORMATS)('%s lines of every kind are redacted', format => {
  const { log, lines } = memory({ format, fields: { file: `base ${secret}` } })
  log.child({ agent: `child ${secret}` }).error('failed', {
    detail: `field ${secret}`,
    err: new Error(`outer ${secret}`, { cause: new Error(`inner ${secret}`) }),
  })
  log.access({ ...request, path: `/login/${secret}`, requestId: `${secret}-0123456789abcdef` })
  expect(lines).toHaveLength(2)
  for (const text of ['base ***', 'child ***', 'field ***', 'outer ***']) expect(lines[0]).toContain(text)
  expect(lines[1]).toContain('/login/***')
  expect(lines.join('')).not.toContain(secret)
})

test.each(FORMATS)('%s lines stay short when a peer sends long texts', format => {
  const { log, lines } = memory({ format })
  const long = 'eyJ'.repeat(60_000)
  log.warn('refused', {
    detail: long,
    host: long,
    err: new Error(long, { cause: new AggregateError([new Error(long)]) }),
  })
  log.access({ ...request, path: `/${long}`, method: long, host: long, requestId: long })
  expect(lines[0]?.length).toBeLessThan(20_000)
  expect(lines[1]?.length).toBeLessThan(5 * MAX_FIELD_TEXT)
})

test('a line keeps the useful keys of a foreign error, and drops its request, parameters and URL', () => {
  const { log, records } = memory()
  const error = Object.assign(new TypeError('connect failed'), {
    code: 'ECONNREFUSED',
    port: 5432,
    config: { headers: { authorization: 'secret' } },
    input: 'postgres://app:hunter2@db/x',
  })
  log.error('failed', { err: error })
  const { err } = records()[0] as { err: Record<string, unknown> }
  expect(Object.keys(err).sort()).toEqual(['code', 'message', 'port', 'stack', 'type'])
  expect(err).toMatchObject({
    type: 'TypeError',
    message: 'connect failed',
    code: 'ECONNREFUSED',
    port: 5432,
  })
  expect(err.stack).toMatch(/^TypeError: connect failed\n {4}at /)
})
