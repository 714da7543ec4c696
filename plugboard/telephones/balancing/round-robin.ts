// The balancing policy `round_robin`: smooth weighted round robin. Each line gains its weight, and the line with the highest
// credit pays the sum of the weights.

import { type Candidate, canTake } from '../lines/line-pool.ts'

export function roundRobin(from: readonly Candidate[], client: string): Candidate | undefined {
  let total = 0
  let best: Candidate | undefined
  for (const candidate of from) {
    if (!canTake(candidate, client)) continue
    total += candidate.line.weight
    candidate.turn += candidate.line.weight
    if (best === undefined || candidate.turn > best.turn) best = candidate
  }
  if (best !== undefined) best.turn -= total
  return best
}
