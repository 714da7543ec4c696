// The balancing policy `least_streams`: the line with the fewest open streams for its weight. Up to `COMPARE_ALL` lines are
// all compared; of more lines, two random ones.

import { type Candidate, canTake, isShared, type LinePool } from '../lines/line-pool.ts'

/** Up to this number, all lines are compared. Above it, two random lines are: nearly as even, at a constant cost. */
const COMPARE_ALL = 16

export function leastStreams(
  pool: LinePool,
  from: readonly Candidate[],
  client: string,
  random: () => number,
): Candidate | undefined {
  if (from.length > COMPARE_ALL) {
    const pair = lighter(anyLocal(pool, from, client, random), anyOf(from, client, random))
    if (pair !== undefined) return pair
  }
  return leastOfAll(pool, from, client)
}

/**
 * Returns the load of a line. In a pool of local lines, all streams of the tunnel count, for every service. The stream count
 * of another replica's tunnel is not available here, so in a pool with such lines only the streams of this replica count.
 */
function load({ pool, active, upstream, line }: Candidate): number {
  return ((isShared(pool) ? active : upstream.streamCount) + 1) / line.weight
}

function lighter(left: Candidate | undefined, right: Candidate | undefined): Candidate | undefined {
  if (left === undefined || right === undefined) return left ?? right
  const [leftLoad, rightLoad] = [load(left), load(right)]
  if (leftLoad === rightLoad) return right.local && !left.local ? right : left
  return rightLoad < leftLoad ? right : left
}

function leastOfAll(pool: LinePool, from: readonly Candidate[], client: string): Candidate | undefined {
  let best: Candidate | undefined
  let bestLoad = Number.POSITIVE_INFINITY
  let index = pool.cursor
  pool.cursor = (pool.cursor + 1) % pool.candidates.length
  for (let seen = 0; seen < from.length; seen += 1, index += 1) {
    const candidate = from[index % from.length] as Candidate
    if (!canTake(candidate, client)) continue
    const itsLoad = load(candidate)
    // Among equal loads the first line wins, except that a local line wins over a remote one, because it saves a hop.
    const preferred = itsLoad === bestLoad && candidate.local && best?.local === false
    if (itsLoad >= bestLoad && !preferred) continue
    best = candidate
    bestLoad = itsLoad
  }
  return best
}

function anyOf(from: readonly Candidate[], client: string, random: () => number): Candidate | undefined {
  const candidate = from[Math.floor(random() * from.length)]
  return candidate !== undefined && canTake(candidate, client) ? candidate : undefined
}

/** Returns a random local line first, because a random choice among many remote lines would rarely find a local one. */
function anyLocal(
  pool: LinePool,
  from: readonly Candidate[],
  client: string,
  random: () => number,
): Candidate | undefined {
  const first = isShared(pool) && from === pool.candidates ? anyOf(pool.locals, client, random) : undefined
  return first ?? anyOf(from, client, random)
}
