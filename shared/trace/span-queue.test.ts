// The queue between ended spans and a receiver, with real requests over HTTP and a clock of the test.

import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { eventually } from '../../test/support/deadline.ts'
import { OtlpReceiver } from '../../test/support/http/otlp-receiver.ts'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { type LogFields, type Logger, silentLogger } from '../log.ts'
import { LabelledCounts } from '../metrics/labelled-counts.ts'
import { openTelemetry } from './open-telemetry.ts'
import { BATCH, INTERVAL_MS, MAX_WAITING } from './span-queue.ts'
import type { Tracing } from './tracing.ts'

let receiver: OtlpReceiver
let clock: ManualClock
let counts: LabelledCounts
let lines: [message: string, fields: LogFields | undefined][]
let tracing: Tracing

const log: Logger = {
  ...silentLogger,
  info: (message, fields) => void lines.push([message, fields]),
  warn: (message, fields) => void lines.push([message, fields]),
}

function start(endpoint = receiver.endpoint): void {
  tracing = openTelemetry({
    receiver: { url: new URL(`${endpoint}/v1/traces`), headers: { authorization: 'Basic hunter2' } },
    resource: { name: 'plugboard', version: '1', instanceId: 'a' },
    counts,
    clock,
    log,
  })
}

function end(count: number): void {
  for (let index = 0; index < count; index += 1)
    tracing.start({ kind: 'server', name: 'GET', parent: undefined, startMs: 1_800_000_000_000 }).end()
}

const results = (): Record<string, number> => {
  const all: Record<string, number> = {}
  counts.collect({
    value: ([result = ''], count) => {
      all[result] = count
    },
    histogram: () => undefined,
  })
  return all
}

/** Runs the next request, after at most this time, and waits for its result. */
async function send(afterMs = INTERVAL_MS): Promise<void> {
  const before = receiver.requests.length
  clock.advance(afterMs)
  await eventually('a request arrives', () => (receiver.requests.length > before ? true : undefined))
}
const counted = (result: string, count: number) =>
  eventually(`${count} spans are ${result}`, () => (results()[result] === count ? true : undefined))
const message = (text: string) =>
  eventually(text, () => lines.find(([line]) => line === text)).then(([, fields]) => fields)

beforeEach(async () => {
  receiver = await OtlpReceiver.start()
  clock = new ManualClock()
  counts = new LabelledCounts()
  lines = []
  start()
})

afterEach(async () => {
  const stopped = tracing.stop()
  clock.advance(3000)
  await stopped
  await receiver.stop()
  expect(clock.pendingTimers).toBe(0)
  expect(JSON.stringify(lines)).not.toContain('hunter2')
})

it('sends spans one second after the first one, with the fields of the settings', async () => {
  end(3)
  await send()
  await counted('sent', 3)
  expect(receiver.spans).toHaveLength(3)
  expect(receiver.requests).toMatchObject([
    { path: '/v1/traces', headers: { authorization: 'Basic hunter2' } },
  ])
  expect(lines).toEqual([])
})

it('sends a whole batch at once, and the rest after it', async () => {
  end(BATCH + 1)
  await send(0)
  await counted('sent', BATCH)
  await send()
  await counted('sent', BATCH + 1)
})

it('keeps spans while the receiver is unavailable, warns once, and sends them later', async () => {
  receiver.respond = response => void response.writeHead(503).end()
  end(2)
  await send()
  expect(await message('the OTLP receiver is unavailable')).toMatchObject({ detail: 'status 503' })
  end(1)
  await eventually('the pause', () => (clock.pendingTimers === 1 ? true : undefined))
  await send()
  receiver.respond = response => void response.end('{}')
  await eventually('the longer pause', () => (clock.pendingTimers === 1 ? true : undefined))
  await send(2 * INTERVAL_MS)
  await counted('sent', 2)
  await send()
  await counted('sent', 3)
  expect(lines.map(([line]) => line)).toEqual([
    'the OTLP receiver is unavailable',
    'the OTLP receiver accepts the traces again',
  ])
})

it('drops and counts spans when too many wait', async () => {
  let waiting: ServerResponse | undefined
  receiver.respond = response => {
    waiting = response
  }
  end(1)
  await send()
  await eventually('the receiver has the request', () => waiting)
  end(MAX_WAITING + 5)
  expect(results()).toEqual({ queue_full: 5 })
  expect(await message('spans are dropped, because the receiver is too slow')).toBeDefined()
  receiver.respond = response => void response.end('{}')
  waiting?.end('{}')
  await counted('sent', 1)
  for (let sent = BATCH; sent <= MAX_WAITING; sent += BATCH) {
    await send(INTERVAL_MS)
    await counted('sent', 1 + sent)
  }
})

it('drops the batch of a refused request, with the remedy and without the credential', async () => {
  receiver.respond = response => void response.writeHead(401).end('hunter2')
  end(2)
  await send()
  await counted('refused', 2)
  const fields = await message('the OTLP receiver refuses the traces')
  expect(fields?.detail).toBe('status 401')
  expect(fields?.remedy).toContain('otlpTracesEndpoint')
})

it.each([0, 1])('sends later spans again after a refusal, with %i spans during the pause', async waiting => {
  receiver.respond = response => void response.writeHead(401).end()
  end(2)
  await send()
  await counted('refused', 2)
  receiver.respond = response => void response.end('{}')
  await eventually('the pause', () => (clock.pendingTimers === 1 ? true : undefined))
  end(waiting)
  if (waiting === 0) clock.advance(60_000)
  else await send(60_000)
  if (waiting > 0) await counted('sent', waiting)
  end(1)
  await send()
  await counted('sent', waiting + 1)
})

it('counts the spans that the receiver rejects', async () => {
  const partialSuccess = { rejectedSpans: '2', errorMessage: 'too old' }
  receiver.respond = response => void response.end(JSON.stringify({ partialSuccess }))
  end(3)
  await send()
  await counted('rejected', 2)
  expect(results()).toEqual({ sent: 1, rejected: 2 })
  expect(await message('the OTLP receiver dropped a part of the traces')).toMatchObject({ count: 2 })
})

it('sends the waiting spans at the stop, and drops those that end later', async () => {
  end(BATCH + 2)
  await tracing.stop()
  end(1)
  expect(receiver.spans).toHaveLength(BATCH + 2)
  expect(results()).toEqual({ sent: BATCH + 2, queue_full: 1 })
})

it('stops within three seconds when the receiver does not respond', async () => {
  receiver.respond = () => undefined
  end(2)
  const stopped = tracing.stop()
  await eventually('the request arrives', () => receiver.requests[0])
  clock.advance(3000)
  await stopped
  expect(results()).toEqual({ unavailable: 2 })
  expect(await message('spans were dropped at the stop')).toMatchObject({ count: 2 })
})

it('stops at once when no receiver is there', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  start(`http://127.0.0.1:${port}`)
  end(BATCH * 3)
  await tracing.stop()
  expect(results()).toEqual({ unavailable: BATCH * 3 })
})
