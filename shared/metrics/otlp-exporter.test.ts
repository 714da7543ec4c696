import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.ts'
import type { Timer } from '../clock.ts'
import { type LogFields, type Logger, silentLogger } from '../log.ts'
import { LabelledCounts } from './labelled-counts.ts'
import { metricsOf } from './metric.ts'
import { OtlpExporter } from './otlp-exporter.ts'

const MINUTE_MS = 60_000

/** A clock with an event for each set timer of an export. The timers of requests are shorter. */
class ExportClock extends ManualClock {
  #scheduled = Promise.withResolvers<number>()

  override after(delayMs: number, task: () => void): Timer {
    if (delayMs > MINUTE_MS / 2) this.#scheduled.resolve(delayMs)
    return super.after(delayMs, task)
  }

  /** Runs the next export, and resolves with the pause after it. */
  async exportOnce(afterMs = MINUTE_MS): Promise<number> {
    this.#scheduled = Promise.withResolvers<number>()
    this.advance(afterMs)
    return this.#scheduled.promise
  }
}

interface Request {
  readonly path: string | undefined
  readonly head: IncomingMessage['headers']
  readonly text: string
}

const server = createServer((request, response) => void receive(request, response))
let respond: (response: ServerResponse) => void
let requests: Request[]
let received: PromiseWithResolvers<void>
let lines: [level: string, message: string, fields: LogFields | undefined][]
let clock: ExportClock
let failures: LabelledCounts
let exporter: OtlpExporter | undefined

async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks = await request.toArray()
  requests.push({
    path: request.url,
    head: request.headers,
    text: gunzipSync(Buffer.concat(chunks)).toString(),
  })
  received.resolve()
  respond(response)
}

const write =
  (level: string) =>
  (message: string, fields?: LogFields): void =>
    void lines.push([level, message, fields])
const log: Logger = { ...silentLogger, info: write('info'), warn: write('warn'), error: write('error') }

const TABLE = { reads_total: { type: 'counter', help: 'x', labels: [], unit: '1' } } as const
let reads: number
const metrics = () =>
  metricsOf(TABLE, {
    reads_total: sink => {
      if (reads < 0) throw new Error('no value')
      reads += 1
      sink.value([], reads)
    },
  })

const failureCounts = (): Record<string, number> => {
  const counts: Record<string, number> = {}
  failures.collect({
    value: ([reason = ''], count) => {
      counts[reason] = count
    },
    histogram: () => undefined,
  })
  return counts
}

function start(port = (server.address() as AddressInfo).port, path = ''): OtlpExporter {
  const url = new URL(`http://127.0.0.1:${port}${path}/v1/metrics`)
  const receiver = { url, headers: { authorization: 'Basic YTpi' } }
  const resource = { name: 'plugboard', version: '1', instanceId: 'a' }
  exporter = new OtlpExporter({ receiver, resource, metrics, failures, clock, log })
  return exporter
}

beforeEach(async () => {
  respond = response => void response.end('{}')
  requests = []
  received = Promise.withResolvers()
  lines = []
  reads = 0
  clock = new ExportClock()
  failures = new LabelledCounts()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})

afterEach(async () => {
  // A receiver that does not respond must not delay the end of the test.
  const stopped = exporter?.stop()
  server.closeAllConnections()
  server.close()
  await stopped
  exporter = undefined
  expect(clock.pendingTimers).toBe(0)
})

it('sends the metrics once a minute, as JSON with gzip, below the path of the endpoint', async () => {
  start(undefined, '/otlp')
  expect(await clock.exportOnce()).toBe(MINUTE_MS)
  expect(requests.map(({ path }) => path)).toEqual(['/otlp/v1/metrics'])
  expect(requests[0]!.head).toMatchObject({
    'content-type': 'application/json',
    'content-encoding': 'gzip',
    authorization: 'Basic YTpi',
  })
  expect(requests[0]!.text).toContain('{"name":"reads.total","description":"x","sum":{')
  await clock.exportOnce()
  expect(requests.map(({ text }) => /"asDouble":(\d+)/.exec(text)?.[1])).toEqual(['1', '2'])
  expect([lines, failureCounts()]).toEqual([[], {}])
})

it('counts an unavailable receiver, reports it, and sends again in the next minute', async () => {
  start()
  respond = response => response.writeHead(503).end()
  expect(await clock.exportOnce()).toBe(MINUTE_MS)
  respond = response => response.destroy()
  await clock.exportOnce()
  expect(failureCounts()).toEqual({ unavailable: 2 })
  expect(lines.map(([level, , fields]) => [level, fields?.detail])).toEqual([
    ['warn', 'status 503'],
    ['warn', 'socket hang up'],
  ])
  respond = response => void response.end()
  await clock.exportOnce()
  expect(lines.at(-1)).toEqual([
    'info',
    'the OTLP receiver accepts the metrics again',
    expect.objectContaining({}),
  ])
})

it('counts a receiver that does not listen', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  other.close()
  await once(other, 'close')
  start(port)
  await clock.exportOnce()
  expect([failureCounts(), lines[0]?.[2]?.detail]).toEqual([
    { unavailable: 1 },
    expect.stringContaining('ECONNREFUSED'),
  ])
})

it('ends a request without a response after ten seconds, and opens no second one meanwhile', async () => {
  start()
  respond = () => undefined
  clock.advance(MINUTE_MS)
  await received.promise
  clock.advance(9999)
  expect([requests.length, failureCounts()]).toEqual([1, {}])
  // The next export is a minute after the start of this one.
  expect(await clock.exportOnce(1)).toBe(MINUTE_MS - 10_000)
  expect([failureCounts(), lines[0]?.[2]?.detail]).toEqual([
    { unavailable: 1 },
    'no response within 10000 ms',
  ])
})

it('reports a refusal once, and pauses for ten minutes', async () => {
  start()
  for (const [status, pauseMs] of [
    [404, MINUTE_MS],
    [415, 10 * MINUTE_MS],
  ] as const) {
    respond = response => void response.writeHead(status).end('x')
    expect(await clock.exportOnce(pauseMs)).toBe(10 * MINUTE_MS)
    await clock.exportOnce(10 * MINUTE_MS)
  }
  expect(lines.map(([level, , fields]) => [level, fields?.detail])).toEqual([
    ['warn', 'status 404'],
    ['warn', 'status 415'],
  ])
  expect(failureCounts()).toEqual({ refused: 4 })
  await exporter?.stop()
  expect(requests).toHaveLength(4)
})

it('follows no redirect', async () => {
  start()
  respond = response => void response.writeHead(307, { Location: '/elsewhere' }).end()
  await clock.exportOnce()
  expect([requests.length, failureCounts()]).toEqual([1, { refused: 1 }])
})

it('reports data points that the receiver dropped', async () => {
  start()
  respond = response =>
    void response.end('{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"too old"}}')
  await clock.exportOnce()
  expect(lines).toEqual([
    ['warn', expect.any(String), expect.objectContaining({ count: 3, detail: 'too old' })],
  ])
  expect(failureCounts()).toEqual({ partial: 1 })
})

it('accepts a response that is not JSON, and reads only a part of a long one', async () => {
  start()
  for (const text of ['', 'ok', 'null', '[]', '{"partialSuccess":null}', 'x'.repeat(1_000_000)]) {
    respond = response => void response.end(text)
    await clock.exportOnce()
  }
  expect([requests.length, failureCounts()]).toEqual([6, {}])
})

it('reports a source that throws, and exports again in the next minute', async () => {
  start()
  reads = -1
  expect(await clock.exportOnce()).toBe(MINUTE_MS)
  expect([lines[0]?.[0], failureCounts(), requests]).toEqual(['error', { failed: 1 }, []])
  reads = 0
  await clock.exportOnce()
  expect(requests).toHaveLength(1)
})

it('sends a last export at the stop', async () => {
  const running = start()
  await Promise.all([running.stop(), running.stop()])
  expect([requests.length, failureCounts()]).toEqual([1, {}])
})

it('ends the last export after three seconds', async () => {
  respond = () => undefined
  const stopped = start().stop()
  await received.promise
  clock.advance(3000)
  await stopped
  expect(lines[0]?.[2]?.detail).toBe('no response within 3000 ms at the stop')
})

it('ends an export in progress with the stop, and sends no other one behind it', async () => {
  respond = () => undefined
  const running = start()
  clock.advance(MINUTE_MS)
  await received.promise
  const stopped = running.stop()
  clock.advance(3000)
  await stopped
  expect([requests.length, failureCounts()]).toEqual([1, { unavailable: 1 }])
})
