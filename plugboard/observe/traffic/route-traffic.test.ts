import { afterEach, beforeEach, expect, test } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { type MeteredRoute, RequestMetrics } from '../../metrics/request-metrics.ts'
import { type RoutePoints, RouteTraffic } from './route-traffic.ts'

/** The first sample ends the interval that begins here. */
const START = 170_000_000

let clock: ManualClock
let routes: Map<string, MeteredRoute>
let requests: RequestMetrics
let traffic: RouteTraffic

function begin(maxRoutes: number): void {
  clock = new ManualClock(0, START * 10_000)
  routes = new Map()
  requests = new RequestMetrics({
    directory: {
      get routeCount() {
        return routes.size
      },
      serviceCount: 1,
      routes: () => routes.values(),
      services: () => [],
    },
    maxRoutes,
    maxServices: 10,
  })
  traffic = new RouteTraffic({ requests, clock, route: id => routes.get(id) })
}
beforeEach(() => begin(10))
afterEach(() => {
  traffic.stop()
  expect(clock.pendingTimers).toBe(0)
})

const add = (id: string): void => {
  routes.set(id, { mount: `${id}.test`, service: { name: 'shop' }, activity: {} })
}
function send(id: string, count: number, { status = 200, headMs = 20 } = {}): void {
  const route = routes.get(id)
  for (let sent = 0; route !== undefined && sent < count; sent += 1) {
    requests.headArrived(route, undefined, headMs)
    requests.finished(route, 'GET', 'http', status, undefined, headMs, 0, 0)
  }
}
const classesOf = (points: RoutePoints | undefined) =>
  points === 'shared' ? points : points?.map(point => point?.classes)

test('keeps the requests of each route for each 10 seconds, with their times', () => {
  add('a')
  add('b')
  send('a', 3)
  send('a', 1, { status: 503 })
  send('b', 1, { status: 100 })
  clock.advance(10_000)
  send('a', 2, { status: 404, headMs: 80 })
  clock.advance(10_000)
  expect(classesOf(traffic.read('a', START, START + 3))).toEqual([[3, 0, 0, 1], [0, 0, 2, 0], undefined])
  expect(classesOf(traffic.read('b', START, START + 2))).toEqual([
    [1, 0, 0, 0],
    [0, 0, 0, 0],
  ])
  const points = traffic.read('a', START, START + 2)
  const p95 = points === 'shared' ? [] : points?.map(point => point?.quantiles?.[1])
  expect(p95?.[0]).toBeGreaterThan(10)
  expect(p95?.[0]).toBeLessThan(25.1)
  expect(p95?.[1]).toBeGreaterThan(75)
})

test('reports no traffic for a route without requests, and also while its first requests are not in the history yet', () => {
  add('a')
  clock.advance(10_000)
  send('a', 1)
  expect(classesOf(traffic.read('a', START - 1, START + 2))).toEqual([undefined, [0, 0, 0, 0], undefined])
  expect(traffic.read('unknown', START, START + 1)).toBeUndefined()
})

test('does not report traffic of a route that shares its counters, until it is one of the busiest', () => {
  traffic.stop()
  begin(1)
  add('a')
  add('b')
  send('a', 1)
  send('b', 5)
  expect([traffic.read('a', START, START + 1), traffic.read('b', START, START + 1)]).toEqual([
    'shared',
    'shared',
  ])
  clock.advance(10_000)
  send('a', 1)
  send('b', 5)
  clock.advance(10_000)
  expect(traffic.read('a', START, START + 2)).toBe('shared')
  expect(classesOf(traffic.read('b', START + 1, START + 2))).toEqual([[5, 0, 0, 0]])
})

test('counts the requests of a route without counters of its own once each', () => {
  traffic.stop()
  begin(0)
  add('a')
  send('a', 3)
  expect(routes.get('a')?.activity.unmetered).toBe(3)
})
