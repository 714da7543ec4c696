// The balancing policy `least_streams`: the process with the fewest open streams for its weight. Among equal processes, one
// with a tunnel on this replica comes first, because it saves a hop.

import type { BalancedProcess } from './balanced-process.ts'

/** Compares all processes. Among equal ones the first wins, so the caller changes the index `start` with each call. */
export function leastStreams<Process extends BalancedProcess>(
  from: readonly Process[],
  start: number,
): Process | undefined {
  let best: Process | undefined
  let bestLoad = Number.POSITIVE_INFINITY
  const { length } = from
  let index = start % length
  for (let seen = 0; seen < length; seen += 1) {
    const process = from[index] as Process
    index = index + 1 === length ? 0 : index + 1
    const load = (process.active + 1) / process.weight
    const winsTie = load === bestLoad && process.isLocal && best?.isLocal === false
    if (load >= bestLoad && !winsTie) continue
    best = process
    bestLoad = load
  }
  return best
}
