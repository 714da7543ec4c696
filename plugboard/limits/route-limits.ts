// The limits of a route and its service together, in the order in which they are checked: first the limits of the route.

import type { DirectoryRoute } from '../routes/directory-entries.ts'
import { rateLimitsOf, type ServicePolicy } from '../routes/options/service-policy.ts'
import { type CompiledLimits, compileLimits } from './compiled-limits.ts'

interface Entry {
  /** The policy for which the limits were compiled. A changed policy is a new object. */
  readonly policy: ServicePolicy
  readonly limits: CompiledLimits
}

export class RouteLimits {
  // A changed route is a new object, so its entry is dropped with the old one.
  readonly #entries = new WeakMap<DirectoryRoute, Entry>()
  readonly #ofServices = new WeakMap<ServicePolicy, CompiledLimits>()

  /** Returns the limits of requests to the route; undefined: the route has no limits, as most routes. */
  of(route: DirectoryRoute): CompiledLimits | undefined {
    const { policy } = route.service
    const own = route.options.rateLimits
    if (own === null && policy.rateLimits.length === 0 && policy.maxRequestsPerSecond === null)
      return undefined
    const known = this.#entries.get(route)
    if (known?.policy === policy) return known.limits
    const ofRoute = compileLimits(own ?? [], route.id)
    const ofService = this.#ofService(policy, route.service.id)
    const limits = {
      beforeCredential: [...ofRoute.beforeCredential, ...ofService.beforeCredential],
      afterCredential: [...ofRoute.afterCredential, ...ofService.afterCredential],
    }
    this.#entries.set(route, { policy, limits })
    return limits
  }

  /** The routes of a service share the compiled limits, and so their numbers of decisions. */
  #ofService(policy: ServicePolicy, serviceId: string): CompiledLimits {
    const known = this.#ofServices.get(policy)
    if (known !== undefined) return known
    const limits = compileLimits(rateLimitsOf(policy), serviceId)
    this.#ofServices.set(policy, limits)
    return limits
  }
}
