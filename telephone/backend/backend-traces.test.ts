// The spans of requests to backends, as a receiver gets them, and the trace context that a backend gets.

import { systemClock } from '@vera-stack/shared/clock.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { LabelledCounts } from '@vera-stack/shared/metrics/labelled-counts.ts'
import { parseTarget } from '@vera-stack/shared/net/backend-target.ts'
import type { Opening } from '@vera-stack/shared/protocol/streams/stream.ts'
import { openTelemetry } from '@vera-stack/shared/trace/open-telemetry.ts'
import type { Tracing } from '@vera-stack/shared/trace/tracing.ts'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { OtlpReceiver } from '../../test/support/http/otlp-receiver.ts'
import { BackendTraces } from './backend-traces.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'
const PARENT = `00-${TRACE}-${SPAN}-01`

let receiver: OtlpReceiver
let tracing: Tracing
beforeEach(async () => {
  receiver = await OtlpReceiver.start()
  tracing = openTelemetry({
    receiver: { url: new URL(`${receiver.endpoint}/v1/traces`), headers: {} },
    resource: { name: 'telephone', version: '1', instanceId: 'a' },
    counts: new LabelledCounts(),
    clock: systemClock,
    log: silentLogger,
  })
})
afterEach(() => receiver.stop())

function traces(sample: number): BackendTraces {
  const targets = new Map([
    ['web', parseTarget('http://127.0.0.1:3000')],
    ['file', parseTarget('unix:/run/app.sock')],
  ])
  return new BackendTraces({ tracing, sample, targets, clock: systemClock, random: () => 0.5 })
}

const opening = (traced: boolean | undefined, fields: string[], service = 'web'): Opening => ({
  kind: 'http',
  hops: 0,
  service,
  method: 'GET',
  target: '/a;jsessionid=hunter2hunter2?token=hunter2',
  fields,
  traced,
})

it('records a request that a Plugboard traces, and the backend gets the id of its span', async () => {
  const request = opening(true, ['Host', 'a', 'traceparent', PARENT, 'tracestate', 'a=1'])
  traces(0).begin(request)?.end(200, undefined)
  await tracing.stop()
  const [span] = receiver.spans
  expect(span).toMatchObject({
    traceId: TRACE,
    parentSpanId: SPAN,
    traceState: 'a=1',
    kind: 'client',
    name: 'GET',
    isError: false,
    attributes: {
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'server.address': '127.0.0.1',
      'server.port': 3000,
      'url.full': 'http://127.0.0.1:3000/a;jsessionid=***',
      'plugboard.service': 'web',
    },
  })
  const sent = `00-${TRACE}-${span?.spanId}-01`
  expect(request.fields).toEqual(['Host', 'a', 'traceparent', sent, 'tracestate', 'a=1'])
})

it.each([
  ['that a Plugboard does not trace', false, 1],
  ['outside of the share', undefined, 0.5],
])('leaves a request %s as it is', async (_, traced, sample) => {
  const fields = ['Traceparent', PARENT, 'traceparent', 'x']
  expect(traces(sample).begin(opening(traced, [...fields]))).toBeUndefined()
  const request = opening(traced, [...fields])
  traces(sample).begin(request)
  expect(request.fields).toEqual(fields)
})

it('starts a trace within the share, when the client sends no valid context', async () => {
  const request = opening(
    undefined,
    ['traceparent', PARENT, 'Traceparent', PARENT, 'tracestate', 'a=1'],
    'file',
  )
  traces(0.6).begin(request)?.end(0, 'connection_refused')
  await tracing.stop()
  const [span] = receiver.spans
  expect(span?.parentSpanId).toBeUndefined()
  expect(span).toMatchObject({
    isError: true,
    attributes: {
      'error.type': 'connection_refused',
      'server.address': '/run/app.sock',
      'url.path': '/a;jsessionid=***',
    },
  })
  expect(request.fields).toEqual(['traceparent', `00-${span?.traceId}-${span?.spanId}-03`])
})

it('sends no context when a rule of the route has removed the one of a traced request', () => {
  const request = opening(true, ['Host', 'a'])
  expect(traces(1).begin(request)).toBeUndefined()
  expect(request.fields).toEqual(['Host', 'a'])
})

it('shows a status of 400 or more as an error', async () => {
  const request = (): Opening => opening(true, ['traceparent', PARENT])
  traces(1).begin(request())?.end(404, undefined)
  traces(1).begin(request())?.end(200, 'connection_reset')
  await tracing.stop()
  expect(receiver.spans).toMatchObject([
    { isError: true, attributes: { 'error.type': '404', 'http.response.status_code': 404 } },
    { isError: true, attributes: { 'error.type': 'connection_reset', 'http.response.status_code': 200 } },
  ])
})
