// The balancing policies of services, by the name in the service's policy. A policy picks one of the processes that take a
// stream now. Each policy is one file of this folder, a function of the values in balanced-process.ts.

import type { BalancedProcess } from './balanced-process.ts'
import { rendezvous } from './hash.ts'
import { leastStreams } from './least-streams.ts'
import { peakEwma } from './peak-ewma.ts'
import { roundRobin } from './round-robin.ts'
import { weightedRandom } from './weighted-random.ts'

export type Balancing = 'peak_ewma' | 'least_streams' | 'round_robin' | 'random' | 'hash'

/** Up to this number, all processes are compared. Above it, two random ones are: nearly as even, at a constant cost. */
export const COMPARE_ALL = 16

/** Returns true when the policy compares two random processes of a pool with more than `COMPARE_ALL` processes. */
export function comparesTwo(balancing: Balancing): boolean {
  return balancing === 'least_streams' || balancing === 'peak_ewma'
}

/**
 * Returns undefined only when `from` is empty. `key`: the value for `hash`; a request without one goes to the process with the
 * fewest streams. `random` returns a uniform random number in [0, 1).
 */
export function chooseProcess<Process extends BalancedProcess>(
  balancing: Balancing,
  from: readonly Process[],
  start: number,
  nowMs: number,
  key: number | undefined,
  random: () => number,
): Process | undefined {
  switch (balancing) {
    case 'peak_ewma':
      return peakEwma(from, start, nowMs)
    case 'least_streams':
      return leastStreams(from, start)
    case 'round_robin':
      return roundRobin(from)
    case 'random':
      return weightedRandom(from, random())
    case 'hash':
      return key === undefined ? leastStreams(from, start) : rendezvous(from, key)
  }
}
