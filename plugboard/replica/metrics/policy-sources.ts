// The sources of the metrics of the traffic policy: limits, retries, ejections, processes and breakers.

import { asRouteId, asServiceId } from '../../common/ids/row-ids.ts'
import { FollowedCounts, type FollowedRow } from '../../metrics/followed-counts.ts'
import { OTHER } from '../../metrics/meter-slots.ts'
import type { RequestMetrics } from '../../metrics/request-metrics.ts'
import type { ReplicaContext } from '../replica-context.ts'
import type { MetricParts, SourcesOf } from './metric-parts.ts'

const EJECTION_REASONS = [
  ['consecutiveFailures', 'consecutive_failures'],
  ['errorResponses', 'error_responses'],
  ['trialFailures', 'trial_failed'],
] as const
const DECISIONS = { admitted: 'admitted', rejected: 'rejected', wouldReject: 'would_reject' } as const

export function policySources(
  { services }: RequestMetrics,
  { clock }: ReplicaContext,
  { database: { directory }, telephones: { cluster, picker }, limits }: MetricParts,
): SourcesOf<
  | 'plugboard_limit_decisions_total'
  | 'plugboard_limit_keys'
  | 'plugboard_share_age_seconds'
  | 'plugboard_ejections_total'
> {
  const decisions = new FollowedCounts()
  const ejections = new FollowedCounts()
  const isShown = (service: string): boolean => services.has(service)
  function* limitRows(): Generator<FollowedRow> {
    for (const [rowId, compiled] of limits.routeLimits.used()) {
      const service = directory.route(asRouteId(rowId))?.service ?? directory.service(asServiceId(rowId))
      if (service === undefined) continue
      const label = services.labelOf(service.name)
      for (const { name, enforced, decisions: counts } of compiled) {
        for (const decision of ['admitted', 'rejected', 'wouldReject'] as const) {
          const labels = [label, label === OTHER ? OTHER : name, DECISIONS[decision], String(enforced)]
          yield { key: `${rowId} ${name} ${decision}`, labels, count: counts[decision] }
        }
      }
    }
  }
  function* ejectionRows(): Generator<FollowedRow> {
    for (const { service: name, counts } of picker.ejectionCounts.list(clock.now())) {
      const service = directory.serviceByName(name)?.name ?? name
      for (const [field, reason] of EJECTION_REASONS) {
        const labels = [services.labelOf(service), reason]
        yield { key: `${name} ${reason}`, labels, count: counts[field] }
      }
    }
  }
  return {
    plugboard_ejections_total: sink => {
      ejections.read(ejectionRows(), isShown)
      ejections.collect(sink)
    },
    plugboard_limit_decisions_total: sink => {
      decisions.read(limitRows(), isShown)
      decisions.collect(sink)
    },
    plugboard_limit_keys: sink => sink.value([], limits.status().keys),
    plugboard_share_age_seconds: sink => {
      for (const { id, shareAgeMs } of cluster?.network.replicas() ?? [])
        if (shareAgeMs !== undefined) sink.value([id], shareAgeMs / 1000)
    },
  }
}
