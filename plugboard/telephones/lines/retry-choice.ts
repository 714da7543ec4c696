// Narrows the lines of a service for an attempt after the first one, and for a stream that has a preferred process. The
// balancing policy then picks among the processes of the rest.

import { type Candidate, canTake, type LinePool, type PooledProcess } from './line-pool.ts'

/** Returns the preferred line, or else another line of its process; undefined when neither takes a request now. */
export function preferredLine(
  { processes }: LinePool,
  preferred: Candidate,
  tried: readonly Candidate[] = [],
  client: string,
): Candidate | undefined {
  const { key } = preferred.process
  const lines = processes.find(process => process.key === key)?.lines
  const usable = (candidate: Candidate) =>
    candidate.process.watch.admits && canTake(candidate, client) && !tried.includes(candidate)
  if (lines?.includes(preferred) === true && usable(preferred)) return preferred
  return lines?.find(usable)
}

/**
 * Returns the untried lines that share the fewest parts with the lines that failed: first a line of a process that is not
 * ejected, then a line of another process, then a line over another link, then a local line. Empty when no line takes a
 * stream now.
 */
export function retryLines(
  { candidates }: LinePool,
  tried: readonly Candidate[],
  client: string,
): readonly Candidate[] {
  let least: Candidate[] = []
  let leastShared = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    if (!canTake(candidate, client) || tried.includes(candidate)) continue
    const { line, local, process } = candidate
    const shared =
      ejectionRank(process) +
      (tried.some(other => other.process.key === process.key) ? 4 : 0) +
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
  if (watch.state.kind === 'serving') return 0
  return watch.admits ? 8 : 16
}

/** Returns the processes of the lines, each once. */
export function processesOf(lines: readonly Candidate[]): Candidate['process'][] {
  return [...new Set(lines.map(({ process }) => process))]
}
