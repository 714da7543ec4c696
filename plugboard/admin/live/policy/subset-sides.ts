// The traffic of each subset of a service and of the other processes, in the last minute, for a person who decides about a canary.

import type { PooledProcess } from '../../../telephones/pools/line-pool.ts'
import { quantileOf } from '../../../telephones/pools/recent-times.ts'
import { subsetFor } from '../../../telephones/subsets/pool-subsets.ts'
import type { ServiceSubsets } from '../../../telephones/subsets/service-subsets.ts'
import type { SideBody } from '../../bodies/policy/service-processes.ts'

/** Returns the subsets in the order of the policy, then the other processes. */
export function sidesOf(
  processes: readonly PooledProcess[],
  subsets: ServiceSubsets,
  nowMs: number,
): SideBody[] {
  const bySubset = Map.groupBy(processes, ({ lines }) => {
    const newest = lines.at(-1)?.line
    return (newest && subsetFor(subsets, newest)?.name) ?? null
  })
  return [...subsets.list.map(({ name }) => name), null].map(subset => {
    const ofSide = bySubset.get(subset) ?? []
    let [requests, errors] = [0, 0]
    for (const { recent } of ofSide) {
      recent.advance(nowMs)
      requests += recent.total
      errors += recent.errors
    }
    const p95Ms = quantileOf(
      ofSide.map(({ times }) => times),
      0.95,
      nowMs,
    )
    return {
      subset,
      processes: ofSide.length,
      requests,
      errors,
      p95Ms: p95Ms === null ? null : Math.round(10 * p95Ms) / 10,
    }
  })
}
