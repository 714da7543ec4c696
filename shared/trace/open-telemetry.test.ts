// Spans as a receiver gets them.

import { SpanStatusCode } from '@opentelemetry/api'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { OtlpReceiver } from '../../test/support/http/otlp-receiver.ts'
import { systemClock } from '../clock.ts'
import { silentLogger } from '../log.ts'
import { LabelledCounts } from '../metrics/labelled-counts.ts'
import { openTelemetry } from './open-telemetry.ts'
import { failSpan, remoteParent, type Tracing } from './tracing.ts'

const START_MS = 1_800_000_000_000.25
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'
const PARENT = `00-${TRACE}-${SPAN}-01`

let receiver: OtlpReceiver
let tracing: Tracing

function start(): void {
  tracing = openTelemetry({
    receiver: { url: new URL(`${receiver.endpoint}/v1/traces`), headers: {} },
    resource: { name: 'plugboard', version: '1.2.3', instanceId: 'a' },
    counts: new LabelledCounts(),
    clock: systemClock,
    log: silentLogger,
  })
}

beforeEach(async () => {
  receiver = await OtlpReceiver.start()
  start()
})
afterEach(() => receiver.stop())

it('has the ids, times, attributes and resource of the span', async () => {
  const span = tracing.start({
    kind: 'server',
    name: 'GET shop',
    parent: remoteParent(PARENT, 'a=1'),
    startMs: START_MS,
  })
  span.setAttribute('http.response.status_code', 200)
  span.setAttribute('url.path', 'x'.repeat(5000))
  const { spanId } = span.spanContext()
  span.end(START_MS + 0.5)
  await tracing.stop()
  expect(receiver.spans).toMatchObject([
    {
      traceId: TRACE,
      spanId,
      parentSpanId: SPAN,
      traceState: 'a=1',
      name: 'GET shop',
      kind: 'server',
      isError: false,
      startTimeUnixNano: '1800000000000250000',
      endTimeUnixNano: '1800000000000750000',
      attributes: { 'http.response.status_code': 200, 'url.path': 'x'.repeat(1024) },
      resource: { 'service.name': 'plugboard', 'service.version': '1.2.3', 'service.instance.id': 'a' },
    },
  ])
})

it('starts a trace without a parent, and records no long tracestate', async () => {
  const root = tracing.start({ kind: 'client', name: 'GET', parent: undefined, startMs: START_MS })
  root.end()
  const long = remoteParent(PARENT, `a=${'b'.repeat(600)}`)
  tracing.start({ kind: 'client', name: 'GET', parent: long, startMs: START_MS }).end()
  await tracing.stop()
  const [first, second] = receiver.spans
  expect([first?.parentSpanId, first?.kind]).toEqual([undefined, 'client'])
  expect(first?.traceId).toMatch(/^[0-9a-f]{32}$/)
  expect([second?.traceId, second?.traceState]).toEqual([TRACE, undefined])
})

it('marks a failed span with the status of the library', async () => {
  const span = tracing.start({ kind: 'client', name: 'GET', parent: undefined, startMs: START_MS })
  failSpan(span, 'backend_closed')
  span.end()
  await tracing.stop()
  expect(receiver.spans).toMatchObject([{ isError: true, attributes: { 'error.type': 'backend_closed' } }])
  expect(SpanStatusCode.ERROR).toBe(2)
})

it('takes no settings from variables of OpenTelemetry', async () => {
  process.env.OTEL_EXPORTER_OTLP_HEADERS = 'authorization=hunter2'
  try {
    start()
    tracing.start({ kind: 'client', name: 'GET', parent: undefined, startMs: START_MS }).end()
    await tracing.stop()
  } finally {
    delete process.env.OTEL_EXPORTER_OTLP_HEADERS
  }
  expect(receiver.requests).toHaveLength(1)
  expect(JSON.stringify(receiver.requests)).not.toContain('hunter2')
})
