// The balancing policy `random`: a random line, with a probability proportional to its weight.

import { type Candidate, canTake } from '../lines/line-pool.ts'

/** `random` returns a uniform random number in [0, 1). */
export function weightedRandom(
  from: readonly Candidate[],
  client: string,
  random: () => number,
): Candidate | undefined {
  let total = 0
  for (const candidate of from) if (canTake(candidate, client)) total += candidate.line.weight
  let point = random() * total
  let last: Candidate | undefined
  for (const candidate of from) {
    if (!canTake(candidate, client)) continue
    last = candidate
    point -= candidate.line.weight
    if (point < 0) return candidate
  }
  return last
}
