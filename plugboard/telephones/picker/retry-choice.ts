// Narrows the lines of a service for an attempt after the first one, and for a stream that has a preferred process. The
// balancing policy then picks among the processes of the rest.

import { isServing } from '../outliers/watched-process.ts'
import {
  type Candidate,
  canTake,
  canTakeIfHealthy,
  isBelowLimit,
  type LinePool,
  type PooledProcess,
} from '../pools/line-pool.ts'
import { bestLine } from '../pools/process-lines.ts'
import { subsetRank } from '../subsets/pool-subsets.ts'
import type { SubsetChoice } from '../subsets/subset-choice.ts'
import type { PickRequest } from './pick-request.ts'

/** Returns the preferred line, or else another line of its process; undefined when both take no request now. */
export function preferredLine(
  { known }: LinePool,
  preferred: Candidate,
  request: PickRequest,
): Candidate | undefined {
  const process = known.get(preferred.process.key)
  if (process?.watch.admits !== true) return undefined
  if (process.lines.includes(preferred) && isUsable(preferred, request)) return preferred
  return process.lines.find(line => isUsable(line, request))
}

/**
 * Returns the untried lines that share the fewest parts with the lines that failed: first a line of a process that is not
 * ejected, then a line of another process, then a line of the request's subset, then a line over another link, then a local
 * line. Empty when no line takes a stream now.
 */
export function retryLines(
  { candidates }: LinePool,
  tried: readonly Candidate[],
  request: PickRequest,
  subset: SubsetChoice | undefined,
): readonly Candidate[] {
  let least: Candidate[] = []
  let leastShared = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    if (!isUsable(candidate, request)) continue
    const { line, local, process } = candidate
    const shared =
      ejectionRank(process) +
      (tried.some(other => other.process.key === process.key) ? 16 : 0) +
      subsetRank(process, subset) * 4 +
      (!local && tried.some(other => other.line.replicaId === line.replicaId) ? 2 : 0) +
      (local ? 0 : 1)
    if (shared > leastShared) continue
    if (shared < leastShared) least = []
    leastShared = shared
    least.push(candidate)
  }
  return least
}

/** A retry should succeed, so it does not try out a half-open process while another one serves. */
function ejectionRank({ watch }: PooledProcess): number {
  if (isServing(watch)) return 0
  return watch.admits ? 32 : 64
}

/** Returns the best untried line of the telephone that the request names, also of an ejected one; undefined: none takes a request now. */
export function lineOfTelephone({ candidates }: LinePool, request: PickRequest): Candidate | undefined {
  const { onlyTelephone } = request
  return bestLine(candidates.filter(each => each.line.telephone === onlyTelephone && isUsable(each, request)))
}

/** Returns the untried lines that would take a stream if their health checks passed (`whenAllDown`). */
export function downLines({ candidates }: LinePool, request: PickRequest): readonly Candidate[] {
  const { tried, policy, client } = request
  return candidates.filter(
    candidate =>
      canTakeIfHealthy(candidate, client) &&
      isBelowLimit(candidate.process, policy.maxStreamsPerTelephone) &&
      tried?.includes(candidate) !== true,
  )
}

/** Returns the processes of the lines, each once. */
export function processesOf(lines: readonly Candidate[]): PooledProcess[] {
  return [...new Set(lines.map(({ process }) => process))]
}

function isUsable(candidate: Candidate, { tried, policy, client }: PickRequest): boolean {
  return (
    canTake(candidate, client) &&
    isBelowLimit(candidate.process, policy.maxStreamsPerTelephone) &&
    tried?.includes(candidate) !== true
  )
}
