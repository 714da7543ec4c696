// Chooses the line for the copy of a request: of a random process of the subset, by weight. A copy is not counted as a stream of
// the pool, and changes no average and no turn, so it has no effect on the choice for real requests.

import { weightedRandom } from '../balancing/weighted-random.ts'
import { isServing } from '../outliers/watched-process.ts'
import { type Candidate, canTake, isBelowLimit, type LinePool } from '../pools/line-pool.ts'
import { bestLine, hasLineFor } from '../pools/process-lines.ts'
import { groupProcesses } from '../subsets/pool-subsets.ts'
import type { ServiceSubsets } from '../subsets/service-subsets.ts'

export interface MirrorTarget {
  readonly subsets: ServiceSubsets
  /** Name of the subset. */
  readonly subset: string
  /** Limit of open streams of one process; null: no limit. A full process gets no copies. */
  readonly maxStreamsPerTelephone: number | null
  /** The client that the stream of the copy names. */
  readonly client: string
}

/**
 * Returns undefined when no process of the subset takes requests now. An ejected process and a half-open one get no copies. `random`: a uniform random number in [0, 1).
 */
export function mirrorLine(
  pool: LinePool,
  { subsets, subset, maxStreamsPerTelephone, client }: MirrorTarget,
  random: number,
): Candidate | undefined {
  groupProcesses(pool, subsets)
  const wanted = subsets.list.find(({ name }) => name === subset)
  const processes = wanted === undefined ? [] : (pool.ofSubsets[wanted.index] ?? [])
  const usable = processes.filter(
    process =>
      isServing(process.watch) &&
      isBelowLimit(process, maxStreamsPerTelephone) &&
      hasLineFor(process, client),
  )
  const process = weightedRandom(usable, random)
  return bestLine(process?.lines.filter(line => canTake(line, client)) ?? [])
}
