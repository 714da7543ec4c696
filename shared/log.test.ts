import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { coloursWanted } from './colours.ts'
import { redact } from './log/redact.ts'
import { FileSink } from './log/sink.ts'
import { type AccessFields, createLog, type LogOptions } from './log.ts'

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

test('readable lines keep control characters away from the terminal and show errors with their stack', () => {
  const { log, lines } = memory({ format: 'text' })
  log.warn('odd request', { path: '/\u001b[31m', status: 400, host: 'a b', err: new Error('broken') })
  expect(lines[0]).toMatch(/^03:04:05\.006 WARN {2}odd request path="\/\\u001b\[31m" status=400 host="a b"\n/)
  expect(lines[0]).toContain('\n    Error: broken\n        at ')
})

test('colours are for terminals without NO_COLOR', () => {
  expect(coloursWanted({}, true)).toBe(true)
  expect(coloursWanted({}, false)).toBe(false)
  expect(coloursWanted({ NO_COLOR: '1', FORCE_COLOR: '1' }, true)).toBe(false)
  expect(coloursWanted({ FORCE_COLOR: '1' }, false)).toBe(true)
  const { log, lines } = memory({ format: 'text', colours: true })
  log.info('hello')
  expect(lines[0]).toContain('\u001b[32mINFO ')
})

test.each([
  ['connect postgres://app:hunter2@db/x failed', 'connect postgres://app:***@db/x failed'],
  ['Authorization: Bearer abcdefgh12345', 'Authorization: Bearer ***'],
  ['key vsk_abc_def', 'key vsk_***'],
  ['token eyJhbGciOi.eyJzdWIi.c2ln rejected', 'token *** rejected'],
  ['GET /a?x=1&token=abc', 'GET /a?x=1&token=***'],
  ['the bearer of news', 'the bearer of news'],
])('redacts %s', (text, expected) => {
  expect(redact(text)).toBe(expected)
  const { log, lines } = memory()
  log.error('failed', { err: new Error(text) })
  expect(lines[0]).toContain(expected)
})

test('a sink writes batches in order and counts what it had to drop', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'log-'))
  const fd = openSync(join(folder, 'out'), 'w')
  const sink = new FileSink({ fd, maxPendingBytes: 20, onDropped: count => `dropped ${count}\n` })
  sink.write('first line\n', false)
  sink.write('second\n', true)
  sink.write('third is too much\n', false)
  sink.write('and so is this\n', false)
  await sink.flush()
  sink.write('fourth\n', false)
  await sink.close()
  closeSync(fd)
  expect(readFileSync(join(folder, 'out'), 'utf8')).toBe('first line\nsecond\ndropped 2\nfourth\n')
  rmSync(folder, { recursive: true })
})

test('a sink whose reader is gone gives up quietly', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'log-'))
  const fd = openSync(join(folder, 'out'), 'w')
  closeSync(fd)
  rmSync(folder, { recursive: true })
  const sink = new FileSink({ fd: 1_000_000 })
  sink.write('into the void\n', true)
  await sink.close()
})

test('lines that wait at exit are written', async () => {
  const script = `
    import { createLog } from ${JSON.stringify(new URL('log.ts', import.meta.url).href)}
    const log = createLog({ level: 'info', format: 'json' })
    log.access(${JSON.stringify(request)})
    log.info('bye')
    process.exit(3)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', chunk => {
    output += chunk
  })
  const [code] = (await once(child, 'close')) as [number]
  expect(code).toBe(3)
  expect(
    output
      .trim()
      .split('\n')
      .map(line => (JSON.parse(line) as { msg: string }).msg),
  ).toEqual(['request', 'bye'])
})
