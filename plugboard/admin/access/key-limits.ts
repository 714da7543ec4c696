// The limits of an admin key: the services and mounts for which the key may issue tokens, and which it may change. The limits
// apply to every write that could redirect the traffic of another service or mount. Reads are not limited.

import { parseMount } from '@vera-stack/shared/mounts.ts'
import { ScopeIndex } from '../../common/ids/scope-index.ts'
import type { AdminKey, Route, Scope } from '../../database/store/store.ts'
import { type Culprit, RequestError } from '../http/problem.ts'

type Limited = Pick<AdminKey, 'limits'>

/** The services and mounts of a request, and their place in the request. */
interface Asked {
  readonly services?: readonly string[] | undefined
  readonly mounts?: readonly string[] | undefined
  /** Returns the JSON pointer to an entry. Undefined: the lists belong to a row that the request names by its id. */
  readonly pointer?: ((list: 'services' | 'mounts', index: number) => string) | undefined
}

/**
 * Throws `forbidden` for services and mounts (or patterns of these) outside of the key's limits. The error lists each of
 * them.
 */
export function refuseBeyondLimits(
  { limits }: Limited,
  { services = [], mounts = [], pointer }: Asked,
): void {
  if (limits === null) return
  const own = new ScopeIndex(limits)
  const culprits: Culprit[] = []
  const beyond = (list: 'services' | 'mounts', index: number, text: string): void => {
    const place = pointer === undefined ? {} : { pointer: pointer(list, index) }
    culprits.push({ ...place, detail: `${text} is beyond the limits of your key.` })
  }
  for (const [place, service] of services.entries()) {
    if (!own.coversService(service)) beyond('services', place, `The service ${service}`)
  }
  for (const [place, mount] of mounts.entries()) {
    if (!coversMount(own, mount)) beyond('mounts', place, `The mount ${mount}`)
  }
  if (culprits.length > 0) {
    // A name of the row occurs twice when it has it before and after the write.
    const text = [...new Set(culprits.map(({ detail }) => detail))].join(' ')
    throw new RequestError('forbidden', `${text} ${describeLimits(limits)}`, culprits)
  }
}

/** True when a key with the limits may delete the route. */
export function isWithinLimits(limits: Scope, route: Pick<Route, 'mount' | 'serviceName'>): boolean {
  const own = new ScopeIndex(limits)
  return (route.serviceName === null || own.coversService(route.serviceName)) && coversMount(own, route.mount)
}

/** Throws `forbidden` for a key with limits, because the request concerns all services. */
export function refuseLimitedKey({ limits }: Limited, what: string): void {
  if (limits !== null) {
    throw new RequestError('forbidden', `${what} concerns all services. ${describeLimits(limits)}`, [])
  }
}

/** True when a key with the limits `own` may create or revoke a key with the limits `other`. */
export function includesLimits(own: Scope | null, other: Scope | null): boolean {
  if (own === null) return true
  if (other === null) return false
  const scopes = new ScopeIndex(own)
  return (
    other.services.every(service => scopes.coversService(service)) &&
    other.mounts.every(mount => coversMount(scopes, mount))
  )
}

/** Returns the JSON pointer for a request whose fields have the names of the lists. */
export const atField = (list: string, index: number): string => `/${list}/${index}`

/** True when the limits cover the mount. Also true for a text that is not a mount, because the check of mounts reports that. */
function coversMount(limits: ScopeIndex, mount: string): boolean {
  const parsed = parseMount(mount)
  return !parsed.ok || limits.coversMount(parsed.value)
}

/** Returns a sentence with the limits of a key. */
export function describeLimits({ services, mounts }: Scope): string {
  const list = (names: readonly string[]): string => names.join(', ') || 'none'
  return `Your key is limited to the services ${list(services)} and the mounts ${list(mounts)}.`
}
