// The table of all metrics of a Telephone, and their sources. docs/operating/metrics.md derives from it.

import { PART_BOUNDARIES } from '@vera-stack/shared/metrics/histogram.ts'
import { type Metric, type MetricTable, metricsOf } from '@vera-stack/shared/metrics/metric.ts'
import { PROCESS_METRICS, type ProcessMetrics } from '@vera-stack/shared/metrics/process-metrics.ts'
import type { TunnelStatus } from '../telephone-handle.ts'
import { VERSION } from '../version.ts'
import type { TelephoneMeters } from './telephone-meters.ts'

export const TELEPHONE_METRICS = {
  telephone_tunnels: {
    type: 'gauge',
    help: 'Tunnels by state.',
    labels: ['state'],
    unit: '1',
  },
  telephone_tunnels_lost_total: {
    type: 'counter',
    help: 'Tunnels that ended without a plan, by reason.',
    labels: ['reason'],
    unit: '1',
  },
  telephone_streams: {
    type: 'gauge',
    help: 'Open streams on all tunnels.',
    labels: [],
    unit: '1',
  },
  telephone_backend_seconds: {
    type: 'histogram',
    help: 'Time from the last byte of a request to the head of the response of the backend.',
    labels: ['service'],
    unit: 's',
    boundaries: PART_BOUNDARIES,
  },
  telephone_backend_failures_total: {
    type: 'counter',
    help: 'Requests that a backend failed, by cause.',
    labels: ['service', 'cause'],
    unit: '1',
  },
  telephone_otlp_failures_total: {
    type: 'counter',
    help: 'Failed exports of metrics to otlpEndpoint, by reason.',
    labels: ['reason'],
    unit: '1',
  },
  telephone_spans_total: {
    type: 'counter',
    help: 'Spans of traces by result: sent, queue_full (dropped), unavailable, refused or rejected by the receiver.',
    labels: ['result'],
    unit: '1',
  },
  telephone_build_info: {
    type: 'gauge',
    help: 'Always 1. The labels have the versions.',
    labels: ['version', 'node'],
    unit: '1',
  },
  ...PROCESS_METRICS,
} as const satisfies MetricTable

/** The part of a Telephone that the metrics read. */
interface MeteredTelephone {
  readonly tunnels: readonly Pick<TunnelStatus, 'state'>[]
  readonly streamCount: number
}

const TUNNEL_STATES = ['waiting', 'dialing', 'greeting', 'announcing', 'ready', 'stopped'] as const

export function telephoneMetrics(
  telephone: MeteredTelephone,
  meters: TelephoneMeters,
  own: ProcessMetrics,
): Metric[] {
  return metricsOf(TELEPHONE_METRICS, {
    telephone_tunnels: sink => {
      for (const state of TUNNEL_STATES)
        sink.value([state], telephone.tunnels.filter(tunnel => tunnel.state === state).length)
    },
    telephone_tunnels_lost_total: meters.lost.collect,
    telephone_streams: sink => sink.value([], telephone.streamCount),
    telephone_backend_seconds: meters.backendTimes,
    telephone_backend_failures_total: meters.failures,
    telephone_otlp_failures_total: meters.otlpFailures.collect,
    telephone_spans_total: meters.spans.collect,
    telephone_build_info: sink => sink.value([VERSION, process.version], 1),
    ...own.sources,
  })
}
