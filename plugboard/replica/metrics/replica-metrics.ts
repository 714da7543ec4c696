// The metrics of one replica: the counts of requests, which the proxy reports, and the sources of all other values, which a scrape
// reads from the parts of the replica. The table is metrics/plugboard-metrics.ts.

import { LabelledCounts } from '@vera-stack/shared/metrics/labelled-counts.ts'
import { type Metric, metricsOf } from '@vera-stack/shared/metrics/metric.ts'
import { type ProcessLoad, startProcessMetrics } from '@vera-stack/shared/metrics/process-metrics.ts'
import { Scraper } from '@vera-stack/shared/metrics/scraper.ts'
import { asRouteId } from '../../common/ids/row-ids.ts'
import { PLUGBOARD_METRICS } from '../../metrics/plugboard-metrics.ts'
import { RequestMetrics } from '../../metrics/request-metrics.ts'
import { RouteTraffic } from '../../observe/traffic/route-traffic.ts'
import { SERVICE_HISTORY, TrafficHistory } from '../../observe/traffic/traffic-history.ts'
import type { ReplicaContext } from '../replica-context.ts'
import { clusterSources } from './cluster-sources.ts'
import { connectionSources } from './connection-sources.ts'
import type { MetricParts } from './metric-parts.ts'
import { policySources } from './policy-sources.ts'
import { requestSources } from './request-sources.ts'
import { tunnelSources } from './tunnel-sources.ts'

export interface ReplicaMetrics {
  readonly requests: RequestMetrics
  readonly scraper: Scraper
  /** Failed exports of metrics by reason. */
  readonly otlpFailures: LabelledCounts
  /** Spans of traces by their result. */
  readonly spans: LabelledCounts
  readonly load: () => ProcessLoad
  /** Returns all metrics for one reading. */
  metrics(): readonly Metric[]
}

export function createReplicaMetrics(replica: ReplicaContext, parts: MetricParts): ReplicaMetrics {
  const { config, clock, running } = replica
  const { directory } = parts.database
  const requests = new RequestMetrics({
    directory,
    maxRoutes: config.metricsRoutes,
    maxServices: config.metricsServices,
  })
  directory.subscribe({
    routeChanged: (before, after) => requests.routeChanged(before, after),
    serviceChanged: (before, after) =>
      requests.serviceChanged(before, after, after === undefined ? [] : directory.routesOfService(after.id)),
  })
  if (replica.measuresRequests) {
    const { traffic } = replica.observation
    const history = new TrafficHistory({ ...SERVICE_HISTORY, counters: () => requests.all(), clock })
    traffic.history = history
    running.add('history of traffic', () => history.stop())
    const routes = new RouteTraffic({ requests, clock, route: id => directory.route(asRouteId(id)) })
    traffic.routes = routes
    running.add('history of routes', () => routes.stop())
  }
  const own = startProcessMetrics(clock)
  running.add('metrics', () => own.stop())
  const otlpFailures = new LabelledCounts()
  const spans = new LabelledCounts()
  const all = metricsOf(PLUGBOARD_METRICS, {
    ...requestSources(requests, parts),
    ...policySources(requests, replica, parts),
    ...connectionSources(parts),
    ...tunnelSources(requests, replica, parts),
    ...clusterSources(parts),
    plugboard_otlp_failures_total: otlpFailures.collect,
    plugboard_spans_total: spans.collect,
    ...own.sources,
  })
  const metrics = (): readonly Metric[] => {
    requests.promote()
    return all
  }
  return { requests, scraper: new Scraper(metrics), otlpFailures, spans, load: own.load, metrics }
}
