// The spans of requests to backends, as a receiver gets them, and the trace context that a backend gets.

import { systemClock } from '@vera-stack/shared/clock.ts'
import { parseTarget } from '@vera-stack/shared/net/backend-target.ts'
import type { Opening } from '@vera-stack/shared/protocol/streams/stream.ts'
import { expect, it } from 'vitest'
import { SPAN, TRACE, useTracing } from '../../test/support/http/use-tracing.ts'
import { BackendTraces } from './backend-traces.ts'

const PARENT = `00-${TRACE}-${SPAN}-01`

const traced = useTracing('telephone')

function traces(sample: number): BackendTraces {
  const targets = new Map([
    ['web', parseTarget('http://127.0.0.1:3000')],
    ['file', parseTarget('unix:/run/app.sock')],
  ])
  return new BackendTraces({
    tracing: traced.tracing,
    sample,
    targets,
    clock: systemClock,
    random: () => 0.5,
  })
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
  await traced.tracing.stop()
  const [span] = traced.receiver.spans
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
  await traced.tracing.stop()
  const [span] = traced.receiver.spans
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
  await traced.tracing.stop()
  expect(traced.receiver.spans).toMatchObject([
    { isError: true, attributes: { 'error.type': '404', 'http.response.status_code': 404 } },
    { isError: true, attributes: { 'error.type': 'connection_reset', 'http.response.status_code': 200 } },
  ])
})
