// The balancing policy `random`: a random process, with a probability proportional to its weight.

import type { BalancedProcess } from './balanced-process.ts'

/** `random`: a uniform random number in [0, 1). */
export function weightedRandom<Process extends BalancedProcess>(
  from: readonly Process[],
  random: number,
): Process | undefined {
  let total = 0
  for (const { weight } of from) total += weight
  let point = random * total
  for (const process of from) {
    point -= process.weight
    if (point < 0) return process
  }
  // Rounding can leave a remainder after the last process.
  return from.at(-1)
}
