// The balancing policies of services, by the name in the service's policy. A policy picks one line among the lines that it
// gets. It skips lines that take no stream of the client now. Each policy is one file of this folder.

import type { Candidate, LinePool } from '../lines/line-pool.ts'
import { leastStreams } from './least-streams.ts'
import { roundRobin } from './round-robin.ts'
import { weightedRandom } from './weighted-random.ts'

export type Balancing = 'least_streams' | 'round_robin' | 'random'

/** `random` returns a uniform random number in [0, 1). Returns undefined when no line of `from` takes a stream now. */
export function chooseLine(
  balancing: Balancing,
  pool: LinePool,
  from: readonly Candidate[],
  client: string,
  random: () => number,
): Candidate | undefined {
  switch (balancing) {
    case 'least_streams':
      return leastStreams(pool, from, client, random)
    case 'round_robin':
      return roundRobin(from, client)
    case 'random':
      return weightedRandom(from, client, random)
  }
}
