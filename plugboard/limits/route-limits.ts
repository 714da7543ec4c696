// The limits of a route and its service together, in the order in which they are checked: first the limits of the route. A changed
// row gets new limits, which continue the decisions of the earlier ones with the same names.

import type { DirectoryListener, DirectoryRoute, DirectoryService } from '../routes/directory-entries.ts'
import { rateLimitsOf, type ServicePolicy } from '../routes/options/service-policy.ts'
import { type CompiledLimit, type CompiledLimits, compileLimits } from './compiled-limits.ts'

interface Entry {
  /** The policy for which the limits were compiled. A changed policy is a new object. */
  readonly policy: ServicePolicy
  readonly limits: CompiledLimits
}

const NO_LIMITS: readonly CompiledLimit[] = []

export class RouteLimits implements DirectoryListener {
  // A changed route is a new object, so its entry is dropped with the old one.
  readonly #entries = new WeakMap<DirectoryRoute, Entry>()
  readonly #ofRoutes = new WeakMap<DirectoryRoute, CompiledLimits>()
  readonly #ofServices = new WeakMap<ServicePolicy, CompiledLimits>()
  /** The newest limits of each row that has limits and got a request, by the id of the row. */
  readonly #rows = new Map<string, readonly CompiledLimit[]>()

  /** Returns the limits of requests to the route; undefined: the route has no limits, as most routes. */
  of(route: DirectoryRoute): CompiledLimits | undefined {
    const { policy } = route.service
    if (route.options.rateLimits === null && !hasLimits(policy)) return undefined
    const known = this.#entries.get(route)
    if (known?.policy === policy) return known.limits
    const ofRoute = this.#ofRoute(route)
    const ofService = this.#ofService(policy, route.service.id)
    const limits = {
      beforeCredential: [...ofRoute.beforeCredential, ...ofService.beforeCredential],
      afterCredential: [...ofRoute.afterCredential, ...ofService.afterCredential],
    }
    this.#entries.set(route, { policy, limits })
    return limits
  }

  /** Yields the limits of each row that got a request, with the id of the route or service. */
  used(): IterableIterator<readonly [rowId: string, limits: readonly CompiledLimit[]]> {
    return this.#rows.entries()
  }

  /** Returns the limits that the route itself has, without those of its service. */
  ofRoute(route: DirectoryRoute): readonly CompiledLimit[] {
    return route.options.rateLimits === null ? NO_LIMITS : all(this.#ofRoute(route))
  }

  /** Returns the limits of a service, which its routes share. */
  ofService({ policy, id }: DirectoryService): readonly CompiledLimit[] {
    return hasLimits(policy) ? all(this.#ofService(policy, id)) : NO_LIMITS
  }

  // The directory: a deleted limit loses its decisions.

  routeChanged(before: DirectoryRoute | undefined, after: DirectoryRoute | undefined): void {
    if (after !== undefined && after.options.rateLimits !== null) {
      if (this.#rows.has(after.id)) this.#ofRoute(after)
    } else if (before !== undefined) this.#rows.delete(before.id)
  }

  serviceChanged(before: DirectoryService | undefined, after: DirectoryService | undefined): void {
    if (after !== undefined && hasLimits(after.policy)) {
      if (this.#rows.has(after.id)) this.#ofService(after.policy, after.id)
    } else if (before !== undefined) this.#rows.delete(before.id)
  }

  #ofRoute(route: DirectoryRoute): CompiledLimits {
    const known = this.#ofRoutes.get(route)
    if (known !== undefined) return known
    const limits = compileLimits(route.options.rateLimits ?? [], route.id, this.#rows.get(route.id))
    this.#ofRoutes.set(route, limits)
    this.#keep(route.id, limits)
    return limits
  }

  /** The routes of a service share the compiled limits, and so their numbers of decisions. */
  #ofService(policy: ServicePolicy, serviceId: string): CompiledLimits {
    const known = this.#ofServices.get(policy)
    if (known !== undefined) return known
    const limits = compileLimits(rateLimitsOf(policy), serviceId, this.#rows.get(serviceId))
    this.#ofServices.set(policy, limits)
    this.#keep(serviceId, limits)
    return limits
  }

  #keep(rowId: string, limits: CompiledLimits): void {
    const list = all(limits)
    if (list.length === 0) this.#rows.delete(rowId)
    else this.#rows.set(rowId, list)
  }
}

function hasLimits({ rateLimits, maxRequestsPerSecond }: ServicePolicy): boolean {
  return rateLimits.length > 0 || maxRequestsPerSecond !== null
}

function all({ beforeCredential, afterCredential }: CompiledLimits): readonly CompiledLimit[] {
  return [...beforeCredential, ...afterCredential]
}
