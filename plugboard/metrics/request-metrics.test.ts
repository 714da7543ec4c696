// Slots, promotions and bounds of the metrics of requests. Each step compares two scrapes: no counter may fall.

import { metricsOf } from '@vera-stack/shared/metrics/metric.ts'
import { prometheusText } from '@vera-stack/shared/metrics/prometheus-text.ts'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { runSeed } from '../../test/support/seeded-random.ts'
import { PLUGBOARD_METRICS } from './plugboard-metrics.ts'
import { type MeteredRoute, RequestMetrics } from './request-metrics.ts'
import { SeriesBudget } from './series-budget.ts'
import type { ServiceMeters } from './service-meters.ts'

interface TestService {
  name: string
  meters?: ServiceMeters | undefined
  unmetered?: number | undefined
}
type TestRoute = MeteredRoute & { service: TestService; mount: string }

let routes: Map<string, TestRoute>
let services: Map<string, TestService>
let metrics: RequestMetrics
let before: ReadonlyMap<string, number>

beforeEach(() => begin({}))

function begin(options: { maxRoutes?: number; maxServices?: number; budget?: SeriesBudget }): void {
  routes = new Map()
  services = new Map()
  before = new Map()
  metrics = new RequestMetrics({
    directory: {
      get routeCount() {
        return routes.size
      },
      get serviceCount() {
        return services.size
      },
      routes: () => routes.values(),
      services: () => services.values(),
    },
    maxRoutes: 2,
    maxServices: 2,
    ...options,
  })
}

function addRoute(mount: string, service = `s-${mount}`): TestRoute {
  const known = services.get(service) ?? { name: service }
  services.set(service, known)
  const route = { mount, service: known, activity: {} }
  routes.set(mount, route)
  metrics.routeChanged(undefined, route)
  return route
}

function deleteRoute(mount: string): void {
  const route = routes.get(mount)
  routes.delete(mount)
  metrics.routeChanged(route, undefined)
}

function deleteService(name: string): void {
  const service = services.get(name)
  services.delete(name)
  metrics.serviceChanged(service, undefined, [])
}

function renameService(name: string, newName: string): void {
  const service = services.get(name)
  if (service === undefined) return
  const copy = { ...service }
  services.delete(name)
  services.set(newName, service)
  service.name = newName
  metrics.serviceChanged(
    copy,
    service,
    [...routes.values()].filter(route => route.service === service),
  )
}

function request(route: MeteredRoute | undefined, status = 200, times = 1): void {
  for (let count = 0; count < times; count += 1)
    metrics.finished(route, 'GET', 'http', status, undefined, 20, 3, 5)
}

/** Returns the values of a scrape by series. Throws when a counter has fallen since the last scrape. */
function scrape(): ReadonlyMap<string, number> {
  metrics.promote()
  const {
    http_server_request_duration_seconds,
    plugboard_route_requests_total,
    plugboard_response_head_seconds,
    plugboard_request_bytes_total,
  } = PLUGBOARD_METRICS
  const table = {
    http_server_request_duration_seconds,
    plugboard_route_requests_total,
    plugboard_response_head_seconds,
    plugboard_request_bytes_total,
  }
  const all = metricsOf(table, {
    http_server_request_duration_seconds: metrics.durations,
    plugboard_route_requests_total: metrics.routeRequests,
    plugboard_response_head_seconds: metrics.part('response_head'),
    plugboard_request_bytes_total: metrics.requestBytes,
  })
  const values = new Map<string, number>()
  for (const line of [...prometheusText(all)].join('').split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const at = line.lastIndexOf(' ')
    if (values.has(line.slice(0, at))) throw new Error(`${line} occurs twice`)
    values.set(line.slice(0, at), Number(line.slice(at + 1)))
  }
  for (const [series, value] of before) {
    const now = values.get(series)
    if (now !== undefined && now < value) throw new Error(`${series} fell from ${value} to ${now}`)
  }
  before = values
  return values
}

const ofRoute = (mount: string, service = `s-${mount}`) =>
  scrape().get(`plugboard_route_requests_total{route="${mount}",service="${service}",code_class="2xx"}`)
const others = () => ofRoute('_other', '_other')
const ofService = (name: string) =>
  scrape().get(
    `http_server_request_duration_seconds_count{plugboard_service="${name}",http_request_method="GET",http_response_status_code="200",url_scheme="http",error_type=""}`,
  )
const bytesOf = (name: string) => scrape().get(`plugboard_request_bytes_total{service="${name}"}`)

describe('while all routes fit', () => {
  it('counts each route from its first request on', () => {
    request(addRoute('a'))
    const b = addRoute('b')
    request(b, 200, 3)
    request(b, 404)
    expect([ofRoute('a'), ofRoute('b'), others()]).toEqual([1, 3, undefined])
    expect([ofService('s-a'), ofService('s-b'), bytesOf('s-b')]).toEqual([1, 3, 12])
    expect([...scrape().keys()].some(series => series.includes('code_class="4xx"'))).toBe(true)
  })

  it('counts requests without a route for the empty service', () => {
    request(undefined)
    request(addRoute('respond', ''))
    expect([ofService(''), bytesOf('')]).toEqual([2, 6])
  })
})

describe('with more routes than slots', () => {
  it('counts all as _other until a scrape promotes the busiest', () => {
    const all = ['a', 'b', 'c', 'd'].map(mount => addRoute(mount))
    for (const [index, route] of all.entries()) request(route, 200, index + 1)
    expect([ofRoute('a'), ofRoute('c'), ofRoute('d'), others()]).toEqual([
      undefined,
      undefined,
      undefined,
      10,
    ])
    for (const route of all) request(route)
    expect([ofRoute('a'), ofRoute('b'), ofRoute('c'), ofRoute('d'), others()]).toEqual([
      undefined,
      undefined,
      1,
      1,
      12,
    ])
    expect([ofService('s-d'), ofService('s-a'), ofService('_other')]).toEqual([1, undefined, 12])
  })

  it('keeps the numbers of a deleted route until another one needs its place', () => {
    const [a, b, c] = ['a', 'b', 'c'].map(mount => addRoute(mount))
    request(a, 200, 3)
    request(b, 200, 2)
    request(c)
    scrape()
    request(a)
    request(c)
    expect([ofRoute('a'), others()]).toEqual([1, 7])
    deleteRoute('a')
    // A request that was in progress at the deletion.
    request(a)
    const series = scrape()
    expect(series.has('plugboard_route_requests_total{route="a",service="s-a",code_class="2xx"}')).toBe(false)
    request(c)
    expect([ofRoute('c'), others()]).toEqual([1, 7])
  })

  it('continues the numbers of a route that is created again, while no other route needs its place', () => {
    request(addRoute('a'), 200, 3)
    addRoute('b')
    scrape()
    deleteRoute('a')
    expect(ofRoute('a')).toBe(3)
    request(addRoute('a'))
    expect(ofRoute('a')).toBe(4)
  })

  it('starts new series under a new name, and leaves the old numbers', () => {
    const route = addRoute('a', 'old')
    request(route, 200, 3)
    scrape()
    renameService('old', 'new')
    request(route)
    expect([ofService('old'), ofService('new')]).toEqual([3, 1])
    expect([ofRoute('a', 'old'), ofRoute('a', 'new')]).toEqual([3, 1])
    renameService('new', 'old')
    request(route)
    expect([ofService('old'), ofService('new')]).toEqual([4, 1])
  })
})

describe('the bound of histogram series', () => {
  it('counts what exceeds it, and loses no observation', () => {
    const budget = new SeriesBudget(3)
    begin({ budget })
    const route = addRoute('a')
    for (const status of [200, 201, 202, 204, 206]) request(route, status)
    metrics.observe(route.service, 'response_head', undefined, 3)
    expect([budget.used, budget.overflow]).toEqual([3, 3])
    const total = [...scrape()].filter(([series]) =>
      series.startsWith('http_server_request_duration_seconds_count'),
    )
    expect(total.map(([, count]) => count).sort()).toEqual([1, 1, 1, 2])
    expect(scrape().get('plugboard_response_head_seconds_count{service="_other",subset="_overflow"}')).toBe(1)
  })

  it('gets the series of a removed service back', () => {
    const budget = new SeriesBudget(3)
    begin({ budget, maxServices: 1 })
    request(addRoute('a'), 200)
    expect(budget.used).toBe(1)
    deleteService('s-a')
    request(addRoute('b'), 200)
    expect([budget.used, ofService('s-b'), ofService('s-a')]).toEqual([1, 1, undefined])
  })
})

it('measures the parts of a request by subset', () => {
  const { service } = addRoute('a')
  metrics.observe(service, 'response_head', undefined, 4)
  metrics.observe(service, 'response_head', 'canary', 6)
  metrics.observe(service, 'response_head', 'canary', 2000)
  const values = scrape()
  const at = (subset: string, bound: string) =>
    values.get(`plugboard_response_head_seconds_bucket{le="${bound}",service="s-a",subset="${subset}"}`)
  expect([at('', '0.005'), at('canary', '0.005'), at('canary', '0.01'), at('canary', '+Inf')]).toEqual([
    1, 0, 1, 2,
  ])
})

it('never lets a counter fall, whatever happens to routes and services', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.tuple(fc.constant('request' as const), name, fc.constantFrom(200, 404, 503)) },
    fc.tuple(fc.constantFrom('add' as const, 'delete' as const, 'scrape' as const), name, name),
    fc.tuple(fc.constantFrom('rename' as const, 'remove' as const), name, name),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      begin({ budget: new SeriesBudget(6) })
      for (const [kind, first, second] of steps) {
        if (kind === 'request') request(routes.get(first), second as number)
        else if (kind === 'add') addRoute(first, `s-${second}`)
        else if (kind === 'delete') deleteRoute(first)
        else if (kind === 'rename') {
          if (!services.has(`s-${second}`)) renameService(`s-${first}`, `s-${second}`)
        } else if (kind === 'remove') {
          if (![...routes.values()].some(({ service }) => service.name === `s-${first}`))
            deleteService(`s-${first}`)
        }
        scrape()
      }
    }),
    { seed: runSeed(), numRuns: 300 },
  )
})
