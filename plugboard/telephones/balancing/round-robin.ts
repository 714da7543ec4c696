// The balancing policy `round_robin`: smooth weighted round robin. Each process gains its weight as credit, and the process
// with the highest credit pays the sum of the weights. So processes with unequal weights take turns too.

import type { BalancedProcess } from './balanced-process.ts'

export function roundRobin<Process extends BalancedProcess>(from: readonly Process[]): Process | undefined {
  let total = 0
  let best: Process | undefined
  for (const process of from) {
    total += process.weight
    process.turn += process.weight
    if (best === undefined || process.turn > best.turn) best = process
  }
  if (best !== undefined) best.turn -= total
  return best
}
