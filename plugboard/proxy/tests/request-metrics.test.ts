// The metrics of requests on a real port: each request is counted once, with its labels, its bytes and its times.

import { metricsOf } from '@vera-stack/shared/metrics/metric.ts'
import { prometheusText } from '@vera-stack/shared/metrics/prometheus-text.ts'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { harnessRoute, ProxyHarness } from '../../../test/support/harness/proxy-harness.ts'
import { rawExchange } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { PLUGBOARD_METRICS } from '../../metrics/plugboard-metrics.ts'
import { RequestMetrics } from '../../metrics/request-metrics.ts'

useLeakCheck()

let metrics: RequestMetrics
let harness: ProxyHarness

beforeEach(async () => {
  const routes = [
    harnessRoute({ host: 'test' }),
    harnessRoute({ host: 'none', service: 'lonely' }),
    harnessRoute({ host: 'holds', service: 'held', policy: { holdMs: 10_000 } }),
  ]
  metrics = new RequestMetrics({
    directory: { routeCount: 3, serviceCount: 3, routes: () => routes, services: () => [] },
    maxRoutes: 10,
    maxServices: 10,
  })
  harness = await ProxyHarness.start({ metrics })
  harness.routes = routes
})
afterEach(() => harness.close())

const get = (host: string, path = '/') =>
  rawExchange(harness.port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, 'GET')

/** Returns the counts of durations by their labels, without the labels that are the same in this test. */
function durations(): Record<string, number> {
  const { http_server_request_duration_seconds } = PLUGBOARD_METRICS
  const all = metricsOf(
    { http_server_request_duration_seconds },
    { http_server_request_duration_seconds: metrics.durations },
  )
  const lines = [...prometheusText(all)].join('').matchAll(/_count\{plugboard_service="(.*)"\} (\d+)$/gm)
  return Object.fromEntries(
    Array.from(lines, ([, labels, count]) => [
      labels!.replaceAll(/",\w+="/g, ' ').replaceAll(/ http /g, ' '),
      Number(count),
    ]),
  )
}

function sums(part: 'response_head' | 'backend' | 'queue_wait'): number[][] {
  const rows: number[][] = []
  metrics.part(part)({
    value: () => undefined,
    histogram: (_labels, { count, sum }) => void rows.push([count, sum]),
  })
  return rows
}

it('counts each request once, with the error code of Plugboard', async () => {
  const telephone = await harness.telephone()
  telephone.handler = call => call.respond(call.opening.target === '/bad' ? 500 : 200, 'hello')
  await get('test')
  await get('test')
  await get('test', '/bad')
  await get('none')
  await get('unknown')
  await rawExchange(harness.port, 'BREW / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n', 'BREW')
  await rawExchange(harness.port, 'nonsense\r\n\r\n', 'GET')
  expect(durations()).toEqual({
    'web GET 200 ': 2,
    'web GET 500 ': 1,
    'lonely GET 503 no_telephone': 1,
    ' GET 404 route_not_found': 1,
    ' _OTHER 400 bad_request': expect.any(Number),
  })
})

it('measures the time to the head, and the part of the backend that the Telephone states', async () => {
  const telephone = await harness.telephone()
  telephone.handler = ({ stream }) => {
    stream.respond({ status: 200, statusText: '', fields: [], backendUs: 250_000 })
    stream.end()
  }
  await get('test')
  expect(sums('backend')).toEqual([[1, 0.25]])
  expect(sums('response_head').map(([count]) => count)).toEqual([1])
  telephone.handler = call => call.respond(204)
  await get('test')
  expect([sums('backend'), sums('response_head')[0]?.[0]]).toEqual([[[1, 0.25]], 2])
})

it('measures the wait of a request for a telephone', async () => {
  const response = get('holds')
  await eventually('the request waits', () => harness.proxy.waitingCount === 1 || undefined)
  expect(sums('queue_wait')).toEqual([])
  const telephone = await harness.telephone(['held'])
  telephone.handler = call => call.respond(200, 'late')
  expect((await response).status).toBe(200)
  expect(sums('queue_wait')).toEqual([[1, expect.any(Number)]])
})

it('counts the bytes of bodies', async () => {
  const telephone = await harness.telephone()
  telephone.handler = call => void call.ended.then(() => call.respond(200, 'response'))
  await rawExchange(
    harness.port,
    'POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody',
    'POST',
  )
  const bytes = new Map<string, number>()
  metrics.requestBytes({
    value: ([service], count) => bytes.set(`in ${service}`, count),
    histogram: () => undefined,
  })
  metrics.responseBytes({
    value: ([service], count) => bytes.set(`out ${service}`, count),
    histogram: () => undefined,
  })
  expect([bytes.get('in web'), bytes.get('out web')]).toEqual([4, 8])
})

it('counts requests in progress, also after a failure', async () => {
  const telephone = await harness.telephone()
  const response = get('test')
  const call = await telephone.nextCall()
  expect(harness.proxy.active).toEqual({ http: 1, https: 0 })
  call.respond(200, 'x')
  await response
  expect(harness.proxy.active).toEqual({ http: 0, https: 0 })
  telephone.handler = each => each.stream.reset('backend_closed')
  await get('test')
  await get('none')
  expect(harness.proxy.active).toEqual({ http: 0, https: 0 })
})
