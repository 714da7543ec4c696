// The subsets of a service in the form in which requests are split and processes are grouped. They are compiled once for each
// policy.

import type { HashKey } from '../../limits/keyed-hash.ts'
import { compiledParts, ruleKey } from '../../limits/limit-keys.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'
import { type KeyPart, needsCredential } from '../../routes/rules/key-part.ts'
import { DEFAULT_MIN_REQUESTS, type SubsetRules } from '../../routes/rules/subset-rules.ts'
import type { GuardRules } from './subset-guard.ts'

export interface Subset {
  /** Differs after each change of the rules of the subset. */
  readonly id: string
  readonly name: string
  /** The place in `list` of ServiceSubsets. */
  readonly index: number
  /** Pattern of the version; undefined: each version. */
  readonly version: string | undefined
  readonly labels: readonly (readonly [name: string, value: string])[]
  readonly percent: number
  /** Fields that send a request to the subset, with names in lower case. Empty: no field does. */
  readonly match: readonly (readonly [name: string, value: string])[]
  /** Undefined: no errors stop the subset. */
  readonly guard: GuardRules | undefined
  /** Key of the hash that splits requests. Each subset has a key of its own: a change of one subset moves no client of another. */
  readonly key: HashKey
}

export interface ServiceSubsets {
  readonly list: readonly Subset[]
  /** Undefined: each request is decided separately. */
  readonly splitBy: readonly KeyPart[] | undefined
}

// A changed policy is a new object, so its entry is dropped with the old one.
const compiled = new WeakMap<ServicePolicy, ServiceSubsets>()

/** Returns the subsets of a service; undefined: it has none. */
export function subsetsOf(policy: ServicePolicy, serviceId: string): ServiceSubsets | undefined {
  if (policy.subsets.length === 0) return undefined
  const known = compiled.get(policy)
  if (known !== undefined) return known
  const { subsets, splitBy } = policy
  const compiledSubsets: ServiceSubsets = {
    list: subsets.map((rules, index) => compile(rules, index, serviceId)),
    splitBy: splitBy === 'request' ? undefined : compiledParts([splitBy]),
  }
  compiled.set(policy, compiledSubsets)
  return compiledSubsets
}

/** True when the split can be decided only after the route has verified the credential. */
export function splitNeedsIdentity({ subsets, splitBy }: ServicePolicy): boolean {
  return subsets.length > 0 && splitBy !== 'request' && needsCredential(splitBy)
}

function compile(rules: SubsetRules, index: number, serviceId: string): Subset {
  const { name, select, percent = 0, match, guard } = rules
  return {
    id: JSON.stringify(rules),
    name,
    index,
    version: select.version,
    labels: Object.entries(select.labels ?? {}),
    percent,
    match: Object.entries(match?.header ?? {}).map(([field, value]) => [field.toLowerCase(), value]),
    guard: guard && { ...guard, minRequests: guard.minRequests ?? DEFAULT_MIN_REQUESTS },
    key: ruleKey(serviceId, 'subset', name),
  }
}
