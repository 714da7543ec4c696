// The sources of the metrics of requests, and of the metrics about the metrics themselves.

import type { RequestMetrics } from '../../metrics/request-metrics.ts'
import { VERSION } from '../../version.ts'
import type { MetricParts, SourcesOf } from './metric-parts.ts'

export function requestSources(
  requests: RequestMetrics,
  { ports }: MetricParts,
): SourcesOf<
  | 'http_server_request_duration_seconds'
  | 'http_server_active_requests'
  | 'plugboard_route_requests_total'
  | 'plugboard_response_head_seconds'
  | 'plugboard_backend_seconds'
  | 'plugboard_queue_wait_seconds'
  | 'plugboard_request_bytes_total'
  | 'plugboard_response_bytes_total'
  | 'plugboard_problems_total'
  | 'plugboard_memory_short'
  | 'plugboard_build_info'
  | 'plugboard_series_overflow_total'
> {
  return {
    http_server_request_duration_seconds: requests.durations,
    http_server_active_requests: sink => {
      const active = ports()?.activeRequests
      sink.value(['http'], active?.http ?? 0)
      sink.value(['https'], active?.https ?? 0)
    },
    plugboard_route_requests_total: requests.routeRequests,
    plugboard_response_head_seconds: requests.part('response_head'),
    plugboard_backend_seconds: requests.part('backend'),
    plugboard_queue_wait_seconds: requests.part('queue_wait'),
    plugboard_request_bytes_total: requests.requestBytes,
    plugboard_response_bytes_total: requests.responseBytes,
    plugboard_problems_total: sink => {
      for (const [code, count] of Object.entries(ports()?.traffic().problems ?? {})) sink.value([code], count)
    },
    plugboard_memory_short: sink => sink.value([], ports()?.memoryShort === true ? 1 : 0),
    plugboard_build_info: sink => sink.value([VERSION, process.version], 1),
    plugboard_series_overflow_total: sink => sink.value([], requests.budget.overflow),
  }
}
