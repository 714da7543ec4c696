// The sources of the metrics of the database and of the other replicas.

import type { MetricParts, SourcesOf } from './metric-parts.ts'

export function clusterSources({
  database: { directory },
  telephones: { cluster },
}: MetricParts): SourcesOf<
  | 'plugboard_changes_applied'
  | 'plugboard_changes_latest'
  | 'plugboard_change_lag_seconds'
  | 'plugboard_database_up'
  | 'plugboard_peer_rtt_seconds'
  | 'plugboard_peer_forwarded_total'
> {
  return {
    plugboard_changes_applied: sink => sink.value([], directory.appliedSequence),
    plugboard_changes_latest: sink => {
      const others = cluster?.network.replicas().map(({ report }) => report?.appliedSequence ?? 0) ?? []
      sink.value([], Math.max(directory.newestSequence, ...others))
    },
    plugboard_change_lag_seconds: sink => sink.histogram([], directory.changeLag),
    plugboard_database_up: sink => sink.value([], directory.databaseReachable ? 1 : 0),
    plugboard_peer_rtt_seconds: sink => {
      for (const { id, rttMs } of cluster?.network.replicas() ?? [])
        if (rttMs !== undefined) sink.value([id], rttMs / 1000)
    },
    plugboard_peer_forwarded_total: sink => cluster?.network.forwarded.collect(sink),
  }
}
