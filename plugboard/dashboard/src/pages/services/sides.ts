// The sides of a split: each subset, and the processes of no subset, over all replicas.

import type { ServiceProcessesBody } from '../../../../admin/api-types.ts'

export interface Side {
  /** Null: the processes of no subset. */
  readonly subset: string | null
  readonly processes: number
  /** In the last minute. */
  readonly requests: number
  readonly errors: number
  /** The highest value of the replicas. */
  readonly p95Ms: number | null
}

export function sidesOf({ replicas }: ServiceProcessesBody): readonly Side[] {
  const sides = new Map<string | null, Side>()
  for (const side of replicas.flatMap(({ sides: ofReplica }) => ofReplica)) {
    const known = sides.get(side.subset)
    if (known === undefined) sides.set(side.subset, side)
    else {
      const times = [known.p95Ms, side.p95Ms].filter(ms => ms !== null)
      sides.set(side.subset, {
        subset: side.subset,
        processes: Math.max(known.processes, side.processes),
        requests: known.requests + side.requests,
        errors: known.errors + side.errors,
        p95Ms: times.length === 0 ? null : Math.max(...times),
      })
    }
  }
  return [...sides.values()]
}
