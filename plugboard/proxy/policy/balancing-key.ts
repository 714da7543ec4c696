// The key of a request for the balancing policy `hash`: a hash of the value that `hashOn` names. All replicas compute the same
// key, so that they choose the same process.

import { type HashKey, keyedHash } from '../../limits/keyed-hash.ts'
import { compiledParts, type KeyFacts, partValue, ruleKey } from '../../limits/limit-keys.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'
import { type KeyPart, needsCredential } from '../../routes/rules/key-part.ts'

interface CompiledKey {
  readonly part: KeyPart
  readonly hashKey: HashKey
}

/** Returns true when the key can be computed only after the route has verified the credential. */
export function keyNeedsIdentity({ hashOn }: ServicePolicy): boolean {
  return hashOn !== null && needsCredential(hashOn)
}

export class BalancingKeys {
  // A changed policy is a new object.
  readonly #compiled = new WeakMap<ServicePolicy, CompiledKey>()

  /** Returns an integer from 0 to 2^53 - 1; undefined: the policy needs no key, or the request has no such value. */
  of(policy: ServicePolicy, serviceId: string, facts: KeyFacts): number | undefined {
    if (policy.hashOn === null) return undefined
    const { part, hashKey } = this.#compiledOf(policy, policy.hashOn, serviceId)
    const value = partValue(part, facts)
    return value === undefined ? undefined : keyedHash(value, hashKey)
  }

  #compiledOf(policy: ServicePolicy, hashOn: KeyPart, serviceId: string): CompiledKey {
    const known = this.#compiled.get(policy)
    if (known !== undefined) return known
    const [part = hashOn] = compiledParts([hashOn])
    const compiled = { part, hashKey: ruleKey(serviceId, 'hashOn') }
    this.#compiled.set(policy, compiled)
    return compiled
  }
}
