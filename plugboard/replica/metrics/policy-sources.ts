// The sources of the metrics of the traffic policy: limits, retries, ejections, processes and breakers.

import { asRouteId, asServiceId, type ServiceId } from '../../common/ids/row-ids.ts'
import { FollowedCounts, type FollowedRow } from '../../metrics/followed-counts.ts'
import { OTHER } from '../../metrics/meter-slots.ts'
import type { RequestMetrics } from '../../metrics/request-metrics.ts'
import { PROCESS_STATES, type ProcessState, processState } from '../../telephones/inspection/process-state.ts'
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
  { database: { directory }, telephones: { cluster, picker }, limits, ports }: MetricParts,
): SourcesOf<
  | 'plugboard_limit_decisions_total'
  | 'plugboard_limit_keys'
  | 'plugboard_share_age_seconds'
  | 'plugboard_ejections_total'
  | 'plugboard_retries_total'
  | 'plugboard_retry_budget_exhausted_total'
  | 'plugboard_processes'
  | 'plugboard_breaker_open'
> {
  const decisions = new FollowedCounts()
  const ejections = new FollowedCounts()
  const retries = new FollowedCounts()
  const exhausted = new FollowedCounts()
  const isShown = (service: string): boolean => services.has(service)
  /** Returns the label of a name that telephones have announced. A name without a service gets no slot. */
  const labelOf = (announced: string): string => {
    const service = directory.serviceByName(announced)
    if (service !== undefined) return services.labelOf(service.name)
    return services.has(announced) ? announced : OTHER
  }
  function* retryRows(): Generator<FollowedRow> {
    for (const [id, counts] of ports()?.decisions ?? []) {
      const service = labelOfId(id)
      for (const [reason, count] of Object.entries(counts.retries))
        yield { key: `${id} ${reason}`, labels: [service, reason], count }
    }
  }
  function* exhaustedRows(): Generator<FollowedRow> {
    for (const [id, { retryBudgetExhausted: count }] of ports()?.decisions ?? [])
      yield { key: id, labels: [labelOfId(id)], count }
  }
  function labelOfId(id: ServiceId): string {
    const service = directory.service(id)
    return service === undefined ? OTHER : services.labelOf(service.name)
  }
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
      for (const [field, reason] of EJECTION_REASONS) {
        const labels = [labelOf(name), reason]
        yield { key: `${name} ${reason}`, labels, count: counts[field] }
      }
    }
  }
  return {
    plugboard_retries_total: sink => {
      retries.read(retryRows(), isShown)
      retries.collect(sink)
    },
    plugboard_retry_budget_exhausted_total: sink => {
      exhausted.read(exhaustedRows(), isShown)
      exhausted.collect(sink)
    },
    plugboard_processes: sink => {
      const counts = new Map<string, Map<ProcessState, number>>()
      for (const { service: name, processes } of picker.pools) {
        const label = labelOf(name)
        const states = counts.get(label) ?? new Map<ProcessState, number>()
        counts.set(label, states)
        for (const process of processes) {
          const state = processState(process)
          states.set(state, (states.get(state) ?? 0) + 1)
        }
      }
      // All states of a service are reported, so that a state that has ended is 0.
      for (const [service, states] of counts)
        for (const state of PROCESS_STATES) sink.value([service, state], states.get(state) ?? 0)
    },
    plugboard_breaker_open: sink => {
      const open = new Map<string, number>()
      for (const { id, name, policy } of directory.services()) {
        if (policy.breaker === null) continue
        const label = services.labelOf(name)
        const status = ports()?.policyState.breakerOf(id)
        const rejects = status !== undefined && status.state !== 'closed'
        open.set(label, (open.get(label) ?? 0) + (rejects ? 1 : 0))
      }
      for (const [service, count] of open) sink.value([service], count)
    },
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
