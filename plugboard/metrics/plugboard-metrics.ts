// The table of all metrics of Plugboard: one row each. The text of `/metrics`, the OTLP messages, docs/operating/metrics.md and the
// check of dashboards derive from it. Over 300 lines, because it is one table. The sources of the values are in replica/metrics/.

import {
  CHANGE_LAG_BOUNDARIES,
  DURATION_BOUNDARIES,
  PART_BOUNDARIES,
  ROUND_TRIP_BOUNDARIES,
} from '@vera-stack/shared/metrics/histogram.ts'
import type { MetricTable } from '@vera-stack/shared/metrics/metric.ts'
import { PROCESS_METRICS } from '@vera-stack/shared/metrics/process-metrics.ts'

/** The metrics of requests. Each request is counted when it ends. */
const REQUEST_METRICS = {
  http_server_request_duration_seconds: {
    type: 'histogram',
    help: 'Duration of requests, until the end of the response. For status 101: until the connection ended.',
    labels: [
      'plugboard_service',
      'http_request_method',
      'http_response_status_code',
      'url_scheme',
      'error_type',
    ],
    unit: 's',
    boundaries: DURATION_BOUNDARIES,
    otlpName: 'http.server.request.duration',
    otlpLabels: [
      'plugboard.service',
      'http.request.method',
      'http.response.status_code',
      'url.scheme',
      'error.type',
    ],
  },
  http_server_active_requests: {
    type: 'gauge',
    help: 'Requests in progress that have a route.',
    labels: ['url_scheme'],
    unit: '1',
    otlpName: 'http.server.active_requests',
    otlpLabels: ['url.scheme'],
  },
  plugboard_route_requests_total: {
    type: 'counter',
    help: 'Requests by route and class of the status, for routes with a slot (metricsRoutes).',
    labels: ['route', 'service', 'code_class'],
    unit: '1',
  },
  plugboard_response_head_seconds: {
    type: 'histogram',
    help: 'Time from the last byte of a request to the head of its response, for each attempt.',
    labels: ['service', 'subset'],
    unit: 's',
    boundaries: PART_BOUNDARIES,
  },
  plugboard_backend_seconds: {
    type: 'histogram',
    help: 'The part of the time to the head that the backend needed. Without Telephones of older versions.',
    labels: ['service', 'subset'],
    unit: 's',
    boundaries: PART_BOUNDARIES,
  },
  plugboard_queue_wait_seconds: {
    type: 'histogram',
    help: 'Time that requests waited for a line (queue, holdMs).',
    labels: ['service', 'subset'],
    unit: 's',
    boundaries: PART_BOUNDARIES,
  },
  plugboard_request_bytes_total: {
    type: 'counter',
    help: 'Bytes of request bodies. Counted when the request ends.',
    labels: ['service'],
    unit: 'By',
  },
  plugboard_response_bytes_total: {
    type: 'counter',
    help: 'Bytes of response bodies. Counted when the request ends.',
    labels: ['service'],
    unit: 'By',
  },
  plugboard_problems_total: {
    type: 'counter',
    help: 'Error responses of Plugboard itself by code.',
    labels: ['code'],
    unit: '1',
  },
} as const satisfies MetricTable

/** The metrics of the traffic policy of services. */
const POLICY_METRICS = {
  plugboard_retries_total: {
    type: 'counter',
    help: 'Attempts after the first one, by the reason of the failed attempt.',
    labels: ['service', 'reason'],
    unit: '1',
  },
  plugboard_retry_budget_exhausted_total: {
    type: 'counter',
    help: 'Failed attempts that were not repeated, because the retry budget of the service was used up.',
    labels: ['service'],
    unit: '1',
  },
  plugboard_processes: {
    type: 'gauge',
    help: 'Telephone processes by state, as this replica chooses among them.',
    labels: ['service', 'state'],
    unit: '1',
  },
  plugboard_breaker_open: {
    type: 'gauge',
    help: '1 while the circuit breaker of the service is not closed. Only services with a breaker.',
    labels: ['service'],
    unit: '1',
  },
  plugboard_limit_decisions_total: {
    type: 'counter',
    help: 'Decisions of rate limits. enforced="false": the limit only counts (enforce: false).',
    labels: ['service', 'limit', 'decision', 'enforced'],
    unit: '1',
  },
  plugboard_limit_keys: {
    type: 'gauge',
    help: 'Keys of rate limits in memory.',
    labels: [],
    unit: '1',
  },
  plugboard_share_age_seconds: {
    type: 'gauge',
    help: 'Age of the counts of rate limits from another replica. Absent: the exchange is not open.',
    labels: ['peer'],
    unit: 's',
  },
  plugboard_ejections_total: {
    type: 'counter',
    help: 'Ejections of telephone processes by reason.',
    labels: ['service', 'reason'],
    unit: '1',
  },
} as const satisfies MetricTable

/** The metrics of connections of clients. */
const CONNECTION_METRICS = {
  plugboard_connections: {
    type: 'gauge',
    help: 'Open connections of clients.',
    labels: [],
    unit: '1',
  },
  plugboard_connections_total: {
    type: 'counter',
    help: 'Connections of clients by the version of HTTP.',
    labels: ['protocol'],
    unit: '1',
  },
  plugboard_connections_refused_total: {
    type: 'counter',
    help: 'Refused connections of clients by reason.',
    labels: ['reason'],
    unit: '1',
  },
  plugboard_tls_handshakes_total: {
    type: 'counter',
    help: 'TLS handshakes by result.',
    labels: ['result'],
    unit: '1',
  },
  plugboard_certificate_expiry_timestamp_seconds: {
    type: 'gauge',
    help: 'End of the certificate of a host, seconds since 1970. The 100 hosts whose certificates end first.',
    labels: ['host'],
    unit: 's',
  },
} as const satisfies MetricTable

/** The metrics of tunnels of this replica. */
const TUNNEL_METRICS = {
  plugboard_tunnels: {
    type: 'gauge',
    help: 'Open tunnels of this replica that do not drain.',
    labels: [],
    unit: '1',
  },
  plugboard_lines: {
    type: 'gauge',
    help: 'Lines on tunnels of this replica, by service and health.',
    labels: ['service', 'health'],
    unit: '1',
  },
  plugboard_streams: {
    type: 'gauge',
    help: 'Open streams on tunnels of this replica.',
    labels: ['kind'],
    unit: '1',
  },
  plugboard_tunnel_rtt_seconds: {
    type: 'histogram',
    help: 'Round trips of tunnels, one for each ping.',
    labels: [],
    unit: 's',
    boundaries: ROUND_TRIP_BOUNDARIES,
  },
  plugboard_tunnels_closed_total: {
    type: 'counter',
    help: 'Ended tunnels by reason.',
    labels: ['reason'],
    unit: '1',
  },
  plugboard_window_stalls_total: {
    type: 'counter',
    help: 'Times at which a stream had data and no credit, by the side that waited.',
    labels: ['side'],
    unit: '1',
  },
  plugboard_tunnel_bytes_total: {
    type: 'counter',
    help: 'Bytes of the messages of tunnels.',
    labels: ['direction'],
    unit: 'By',
  },
} as const satisfies MetricTable

/** The metrics of the database and of other replicas. */
const CLUSTER_METRICS = {
  plugboard_changes_applied: {
    type: 'gauge',
    help: 'Sequence of the last change that this replica has applied.',
    labels: [],
    unit: '1',
  },
  plugboard_changes_latest: {
    type: 'gauge',
    help: 'Sequence of the newest change that this replica has seen in the log, or that another replica has applied.',
    labels: [],
    unit: '1',
  },
  plugboard_change_lag_seconds: {
    type: 'histogram',
    help: 'Time from the write of a change until this replica has applied it. Clocks of hosts may differ.',
    labels: [],
    unit: 's',
    boundaries: CHANGE_LAG_BOUNDARIES,
  },
  plugboard_database_up: {
    type: 'gauge',
    help: '1 while the database responds.',
    labels: [],
    unit: '1',
  },
  plugboard_peer_rtt_seconds: {
    type: 'gauge',
    help: 'Round trip to another replica.',
    labels: ['peer'],
    unit: 's',
  },
  plugboard_peer_forwarded_total: {
    type: 'counter',
    help: 'Streams that this replica has sent to another one.',
    labels: ['peer'],
    unit: '1',
  },
} as const satisfies MetricTable

/** The metrics of the process of Plugboard. */
const OWN_METRICS = {
  plugboard_memory_short: {
    type: 'gauge',
    help: '1 while new requests are refused, because memory is short.',
    labels: [],
    unit: '1',
  },
  plugboard_build_info: {
    type: 'gauge',
    help: 'Always 1. The labels have the versions.',
    labels: ['version', 'node'],
    unit: '1',
  },
  plugboard_otlp_failures_total: {
    type: 'counter',
    help: 'Failed exports of metrics to otlpEndpoint, by reason.',
    labels: ['reason'],
    unit: '1',
  },
  plugboard_spans_total: {
    type: 'counter',
    help: 'Spans of traces by result: sent, queue_full (dropped), unavailable, refused or rejected by the receiver.',
    labels: ['result'],
    unit: '1',
  },
  plugboard_series_overflow_total: {
    type: 'counter',
    help: 'Observations above the limit of 5,000 histogram series. They are in the series of the service _other.',
    labels: [],
    unit: '1',
  },
} as const satisfies MetricTable

/** All metrics of Plugboard, in the order of the text. */
export const PLUGBOARD_METRICS = {
  ...REQUEST_METRICS,
  ...POLICY_METRICS,
  ...CONNECTION_METRICS,
  ...TUNNEL_METRICS,
  ...CLUSTER_METRICS,
  ...OWN_METRICS,
  ...PROCESS_METRICS,
} as const satisfies MetricTable

export type PlugboardMetricName = keyof typeof PLUGBOARD_METRICS
