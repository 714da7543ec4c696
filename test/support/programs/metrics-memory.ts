// Measures the memory and the scrape of the metrics with many routes, in a process of its own with `--expose-gc`. Prints JSON.

import { metricsOf } from '@vera-stack/shared/metrics/metric.ts'
import { prometheusText } from '@vera-stack/shared/metrics/prometheus-text.ts'
import { PLUGBOARD_METRICS } from '../../../plugboard/metrics/plugboard-metrics.ts'
import { type MeteredRoute, RequestMetrics } from '../../../plugboard/metrics/request-metrics.ts'
import { RouteActivity } from '../../../plugboard/routes/route-activity.ts'

const ROUTES = 100_000
const SERVICES = 1000

const services = Array.from({ length: SERVICES }, (_, index) => ({
  name: `service-${index}`,
  meters: undefined,
  unmetered: undefined,
}))
const routes = new Map<number, MeteredRoute>()
for (let index = 0; index < ROUTES; index += 1) {
  routes.set(index, {
    mount: `app-${index}.example.com/`,
    service: services[index % SERVICES]!,
    activity: new RouteActivity(),
  })
}

function usedBytes(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

const before = usedBytes()
const metrics = new RequestMetrics({
  directory: {
    get routeCount() {
      return routes.size
    },
    serviceCount: SERVICES,
    routes: () => routes.values(),
    services: () => services,
  },
  maxRoutes: 500,
  maxServices: 1000,
})
const {
  http_server_request_duration_seconds,
  plugboard_route_requests_total,
  plugboard_response_head_seconds,
} = PLUGBOARD_METRICS
const all = metricsOf(
  { http_server_request_duration_seconds, plugboard_route_requests_total, plugboard_response_head_seconds },
  {
    http_server_request_duration_seconds: metrics.durations,
    plugboard_route_requests_total: metrics.routeRequests,
    plugboard_response_head_seconds: metrics.part('response_head'),
  },
)

/** Returns the values of a scrape, and its CPU time, ms. */
function scrape(): { readonly values: Map<string, number>; readonly cpuMs: number } {
  const startedAt = process.cpuUsage()
  metrics.promote()
  const text = [...prometheusText(all)].join('')
  const { user, system } = process.cpuUsage(startedAt)
  const values = new Map<string, number>()
  for (const line of text.split('\n')) {
    const at = line.lastIndexOf(' ')
    if (at > 0 && !line.startsWith('#')) values.set(line.slice(0, at), Number(line.slice(at + 1)))
  }
  return { values, cpuMs: (user + system) / 1000 }
}

function request(route: MeteredRoute): void {
  metrics.finished(route, 'GET', 'http', 200, undefined, 3, 10, 20)
  metrics.observe(route.service, 'response_head', undefined, 2)
}

function fallen(earlier: Map<string, number>, later: Map<string, number>): string[] {
  return [...earlier]
    .filter(([series, value]) => (later.get(series) ?? value) < value)
    .map(([series]) => series)
}

for (const route of routes.values()) request(route)
const first = scrape()
for (const route of routes.values()) request(route)
const second = scrape()
// A deleted route frees a place, and the busiest of the others gets it.
const [deleted] = [...routes].find(([, { activity }]) => activity.meters !== undefined) ?? []
if (deleted === undefined) throw new Error('no route has a slot')
const route = routes.get(deleted)
routes.delete(deleted)
metrics.routeChanged(route, undefined)
const busiest = [...routes.values()].find(({ activity }) => activity.meters === undefined)
if (busiest === undefined) throw new Error('each route has a slot')
request(busiest)
const third = scrape()
request(busiest)
const fourth = scrape()
const result = {
  series: first.values.size,
  promoted: busiest.activity.meters !== undefined,
  fallen: [
    ...fallen(first.values, second.values),
    ...fallen(second.values, third.values),
    ...fallen(third.values, fourth.values),
  ],
  scrapeCpuMs: [first, second, third, fourth].map(({ cpuMs }) => Math.round(cpuMs)),
}
for (const { values } of [first, second, third, fourth]) values.clear()
const bytes = usedBytes() - before
process.stdout.write(`${JSON.stringify({ ...result, bytes, routes: routes.size })}\n`)
