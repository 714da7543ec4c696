// Lists the stops of this replica besides ejected processes: subsets by their guard, and services by their circuit breaker.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Directory } from '../../../routes/directory.ts'
import type { LinePool } from '../../../telephones/pools/line-pool.ts'
import { MAX_STOPPED, type OpenBreakerBody, type StoppedSubsetBody } from '../../bodies/policy/ejection.ts'
import type { PolicyState } from './policy-state.ts'
import { breakerBody, subsetState } from './process-rows.ts'

/** Returns the subsets that a guard has stopped, also those that have a part of their percentage again. */
export function stoppedSubsets(
  pools: Iterable<LinePool>,
  clock: Clock,
  replicaId: string,
): StoppedSubsetBody[] {
  const rows: StoppedSubsetBody[] = []
  for (const pool of pools) {
    if (pool.guards.size === 0 || pool.subsets === undefined) continue
    for (const subset of pool.subsets.list) {
      if ((pool.guards.get(subset.id)?.stops ?? 0) === 0) continue
      rows.push({ service: pool.service, replicaId, ...subsetState(subset, pool, clock) })
    }
  }
  return rows.sort(byService).slice(0, MAX_STOPPED)
}

/** Returns the breakers that are open or half-open. */
export function openBreakers(
  state: PolicyState | undefined,
  directory: Pick<Directory, 'service'>,
  clock: Clock,
  replicaId: string,
): OpenBreakerBody[] {
  const rows: OpenBreakerBody[] = []
  for (const [id, status] of state?.openBreakers() ?? []) {
    const service = directory.service(id)
    // A breaker stays in memory when the policy or the service is changed or deleted.
    if (service === undefined || service.policy.breaker === null) continue
    rows.push({ service: service.name, replicaId, ...breakerBody(status, clock) })
  }
  return rows.sort(byService).slice(0, MAX_STOPPED)
}

const byService = (left: { readonly service: string }, right: { readonly service: string }): number =>
  left.service < right.service ? -1 : 1
