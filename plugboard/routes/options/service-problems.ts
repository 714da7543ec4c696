// Checks that the keys of a service's policy fit together, which the schema of one key cannot check. It runs before a service is
// written, on the complete policy. Each problem has the path of the value to correct.

import type { SubsetRules } from '../rules/subset-rules.ts'
import type { ServicePolicy } from './service-policy.ts'

export interface ServiceProblem {
  /** Path within the service: `['policy', 'hashOn']`. */
  readonly path: readonly string[]
  readonly message: string
}

export function serviceProblems({
  balancing,
  hashOn,
  rateLimits,
  maxRequestsPerSecond,
  outlier,
  subsets,
  mirror,
}: ServicePolicy): ServiceProblem[] {
  const problems: ServiceProblem[] = []
  const found = (path: readonly string[], message: string) => problems.push({ path, message })
  if (balancing === 'hash' && hashOn === null) {
    found(
      ['policy', 'hashOn'],
      'is required with "balancing": "hash"; name the value to hash, such as "address"',
    )
  }
  if (balancing !== 'hash' && hashOn !== null) {
    found(['policy', 'hashOn'], `has an effect with "balancing": "hash" only; here it is "${balancing}"`)
  }
  if (outlier !== false && outlier.ejectMs > outlier.maxEjectMs) {
    found(
      ['policy', 'outlier', 'ejectMs'],
      `is longer than "maxEjectMs" (${outlier.maxEjectMs}); raise that key, or use a shorter time`,
    )
  }
  if (mirror !== null && !subsets.some(({ name }) => name === mirror.to)) {
    found(
      ['policy', 'mirror', 'to'],
      `is no subset of the service: "${mirror.to}"; add it to "subsets", or name another subset`,
    )
  }
  const alias = rateLimits.findIndex(({ name }) => name === 'maxRequestsPerSecond')
  if (maxRequestsPerSecond !== null && alias !== -1) {
    found(
      ['policy', 'rateLimits', String(alias), 'name'],
      'is the name of the limit of the key "maxRequestsPerSecond"; choose another name, or remove that key',
    )
  }
  for (const [index, { select }] of subsets.entries()) {
    const first = subsets.findIndex(other => selectionText(other.select) === selectionText(select))
    if (first < index) {
      found(
        ['policy', 'subsets', String(index), 'select'],
        `is that of the subset "${subsets[first]?.name}", which gets all of these processes; select others, or join the subsets`,
      )
    }
  }
  return problems
}

/** Returns a text that is equal for selections of the same version and labels, in any order. */
function selectionText({ version, labels = {} }: SubsetRules['select']): string {
  const byName = Object.entries(labels).sort(([left], [right]) => (left < right ? -1 : 1))
  return JSON.stringify([version, byName])
}
