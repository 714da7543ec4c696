// The sources of the metrics of tunnels of this replica and of the lines on them.

import { OTHER } from '../../metrics/meter-slots.ts'
import type { RequestMetrics } from '../../metrics/request-metrics.ts'
import type { ReplicaContext } from '../replica-context.ts'
import type { MetricParts, SourcesOf } from './metric-parts.ts'

export function tunnelSources(
  { services }: RequestMetrics,
  { registry, id }: ReplicaContext,
  { database: { directory }, telephones: { switchboard } }: MetricParts,
): SourcesOf<
  | 'plugboard_tunnels'
  | 'plugboard_lines'
  | 'plugboard_streams'
  | 'plugboard_tunnel_rtt_seconds'
  | 'plugboard_tunnels_closed_total'
  | 'plugboard_window_stalls_total'
  | 'plugboard_tunnel_bytes_total'
> {
  const { tunnels } = switchboard
  return {
    plugboard_tunnels: sink => sink.value([], tunnels.tunnelCount),
    plugboard_lines: sink => {
      const lines = new Map<string, { up: number; down: number }>()
      const countsOf = (label: string): { up: number; down: number } => {
        const counts = lines.get(label) ?? { up: 0, down: 0 }
        lines.set(label, counts)
        return counts
      }
      // A service without a line has a 0, so that an alert finds it.
      for (const { name } of directory.services()) countsOf(services.labelOf(name))
      for (const { service: announced, replicaId, health } of registry.lines()) {
        if (replicaId !== id) continue
        const service = directory.serviceByName(announced)
        countsOf(service === undefined ? OTHER : services.labelOf(service.name))[health] += 1
      }
      for (const [service, { up, down }] of lines) {
        sink.value([service, 'up'], up)
        sink.value([service, 'down'], down)
      }
    },
    plugboard_streams: sink => {
      for (const [kind, count] of tunnels.streamsByKind()) sink.value([kind], count)
    },
    plugboard_tunnel_rtt_seconds: sink => sink.histogram([], tunnels.totals.roundTrips),
    plugboard_tunnels_closed_total: tunnels.totals.closed.collect,
    plugboard_window_stalls_total: sink => {
      const { ownStalls, peerStalls } = tunnels.carried
      sink.value(['plugboard'], ownStalls)
      sink.value(['telephone'], peerStalls)
    },
    plugboard_tunnel_bytes_total: sink => {
      const { receivedBytes, sentBytes } = tunnels.carried
      sink.value(['received'], receivedBytes)
      sink.value(['sent'], sentBytes)
    },
  }
}
