// Counts each finished request in the metrics.

import type { RequestMetrics } from '../../metrics/request-metrics.ts'
import type { RequestObserver } from './finished-request.ts'

export function countInMetrics(metrics: RequestMetrics): RequestObserver {
  return ({ facts, route, method, status, code, startedAtMs, bytesIn, bytesOut }, nowMs) =>
    metrics.finished(route, method, facts.proto, status, code, nowMs - startedAtMs, bytesIn, bytesOut)
}
