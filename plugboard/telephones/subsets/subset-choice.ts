// Decides which subset of a service a request belongs to. First by header fields, then by percentages:
//
//   subset 1: the hash is below percent / 100
//   subset 2: among the rest, its own hash is below percent / (100 - percent of subset 1), and so on
//
// A client keeps its hashes. So a larger percentage moves clients to the subset, and moves none back to the rest.

import { hashOfParts, headerValue, type KeyFacts, readingOnce } from '../../limits/limit-keys.ts'
import type { ServiceSubsets, Subset } from './service-subsets.ts'

/** 2^53: hashes are below. */
const HASHES = 2 ** 53

export interface SubsetChoice {
  readonly subsets: ServiceSubsets
  /** Undefined: the request belongs to the processes that no subset selects. */
  readonly subset: Subset | undefined
  /** True when a header field decides. Such a request ignores the sticky session of its client. */
  readonly pinned: boolean
  /** The place of the client within the subset, from 0 to 1. A guard that admits half of the subset admits those below 0.5. */
  readonly fraction: number
}

/** `random`: returns a uniform random number in [0, 1), for services that split each request separately. */
export function chooseSubset(subsets: ServiceSubsets, facts: KeyFacts, random: () => number): SubsetChoice {
  for (const subset of subsets.list) {
    if (subset.match.length > 0 && hasFields(facts.fields, subset)) {
      return { subsets, subset, pinned: true, fraction: 0 }
    }
  }
  return readingOnce(facts, () => chooseByPercent(subsets, facts, random))
}

function chooseByPercent(subsets: ServiceSubsets, facts: KeyFacts, random: () => number): SubsetChoice {
  let left = 100
  for (const subset of subsets.list) {
    const { percent } = subset
    if (percent === 0) continue
    const fraction = (pointOf(subset, subsets, facts, random) * left) / percent
    if (fraction < 1) return { subsets, subset, pinned: false, fraction }
    left -= percent
  }
  return { subsets, subset: undefined, pinned: false, fraction: 0 }
}

function hasFields(fields: readonly string[], { match }: Subset): boolean {
  return match.every(([name, value]) => headerValue(fields, name) === value)
}

function pointOf(
  { key }: Subset,
  { splitBy }: ServiceSubsets,
  facts: KeyFacts,
  random: () => number,
): number {
  return splitBy === undefined ? random() : hashOfParts(splitBy, facts, key) / HASHES
}
