// Counts the requests of this replica. The proxy reports each request once, and each head of a response; the meters are on the
// objects of the service and the route (service-meters.ts, route-meters.ts), within a bounded number of slots (meter-slots.ts).

import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import type { MetricSource } from '@vera-stack/shared/metrics/metric.ts'
import { type MeterOwner, MeterSlots, OTHER } from './meter-slots.ts'
import { requestKey } from './request-labels.ts'
import { RouteMeters, routeKey } from './route-meters.ts'
import { SeriesBudget } from './series-budget.ts'
import { OverflowMeters, type Part, ServiceMeters } from './service-meters.ts'

/** A service of the directory. Routes that respond without a backend have one with an empty name. */
export interface MeteredService extends MeterOwner<ServiceMeters> {
  readonly name: string
}

/** A route of the directory. Its activity continues when the route changes. */
export interface MeteredRoute {
  readonly mount: string
  readonly service: MeteredService
  readonly activity: MeterOwner<RouteMeters>
}

/** The part of the directory that the slots read. */
export interface MeteredDirectory {
  readonly routeCount: number
  readonly serviceCount: number
  routes(): Iterable<MeteredRoute>
  services(): Iterable<MeteredService>
}

export interface RequestMetricsOptions {
  readonly directory: MeteredDirectory
  readonly maxRoutes: number
  readonly maxServices: number
  readonly budget?: SeriesBudget
}

export class RequestMetrics {
  readonly budget: SeriesBudget
  readonly services: MeterSlots<ServiceMeters>
  readonly #directory: MeteredDirectory
  readonly #routes: MeterSlots<RouteMeters>
  readonly #otherRoutes = new RouteMeters(OTHER, OTHER)
  /** The requests of `#otherRoutes` at the last promotion by `routeCounters`. */
  #promotedAt = 0
  readonly #overflow = new OverflowMeters(OTHER)
  /** Requests without a route, and routes without a service. */
  readonly #noService: ServiceMeters

  constructor({ directory, maxRoutes, maxServices, budget = new SeriesBudget() }: RequestMetricsOptions) {
    const create = (name: string): ServiceMeters => new ServiceMeters(name, budget, this.#overflow)
    this.budget = budget
    this.#directory = directory
    this.#noService = create('')
    this.services = new MeterSlots({
      max: maxServices,
      other: create(OTHER),
      create,
      removed: meters => meters.release(),
      population: () => directory.serviceCount,
    })
    this.#routes = new MeterSlots({
      max: maxRoutes,
      other: this.#otherRoutes,
      create: name => {
        const at = name.lastIndexOf(' ')
        return new RouteMeters(name.slice(0, at), name.slice(at + 1))
      },
      population: () => directory.routeCount,
    })
  }

  /** Counts a finished request. `code`: the error that ended it. `method`: empty when it was not read. */
  finished(
    route: MeteredRoute | undefined,
    method: string,
    scheme: string,
    status: number,
    code: ErrorCode | undefined,
    durationMs: number,
    bytesIn: number,
    bytesOut: number,
  ): void {
    const key = requestKey(method, status, scheme, code)
    const seconds = durationMs / 1000
    if (route === undefined) {
      this.#noService.finished(key, seconds, bytesIn, bytesOut)
      return
    }
    this.#metersOf(route.service).finished(key, seconds, bytesIn, bytesOut)
    const { activity } = route
    const meters =
      activity.meters ?? this.#routes.sharedBy(activity) ?? this.#routes.claim(activity, routeName(route))
    meters.finished(status)
  }

  /** Measures a part of a request. `subset`: of the process that received the request; undefined: it belongs to none. */
  observe(service: MeteredService, part: Part, subset: string | undefined, durationMs: number): void {
    this.#metersOf(service).observe(part, subset, durationMs / 1000)
  }

  /** Measures the time to the head of a response. `subset`: as in `observe`. */
  headArrived(route: MeteredRoute, subset: string | undefined, durationMs: number): void {
    const seconds = durationMs / 1000
    const bucket = this.#metersOf(route.service).observe('response_head', subset, seconds)
    const { activity } = route
    if (activity.meters === undefined && activity.unmetered === undefined) {
      this.#routes.claim(activity, routeName(route))
      // `finished` counts the request.
      if (activity.unmetered !== undefined) activity.unmetered = 0
    }
    activity.meters?.headArrived(bucket, seconds)
  }

  /** Gives free slots to the busiest routes and services. Call it before each scrape. */
  promote(): void {
    this.services.promote(ownersOf(this.#directory.services(), service => [service, service.name]))
    this.#promoteRoutes()
  }

  /** Yields the meters of all routes with a slot. Before, it gives free slots to the busiest routes. */
  *routeCounters(): Generator<RouteMeters> {
    // The routes are read only when one without a slot had requests.
    const { requests } = this.#otherRoutes
    if (requests !== this.#promotedAt) this.#promoteRoutes()
    this.#promotedAt = requests
    yield* this.#routes.all()
  }

  /** Call after a change of a route. `before`: undefined for a new route. `after`: undefined for a deleted one. */
  routeChanged(before: MeteredRoute | undefined, after: MeteredRoute | undefined): void {
    if (before === undefined) return
    const name = routeName(before)
    if (after !== undefined && routeName(after) === name) return
    this.#routes.retire(name)
    if (after !== undefined) after.activity.meters = undefined
  }

  /** Call after a change of a service. `before`: a copy of its former values. Routes of a renamed service get new labels too. */
  serviceChanged(
    before: MeteredService | undefined,
    after: MeteredService | undefined,
    routes: Iterable<MeteredRoute>,
  ): void {
    if (before === undefined || before.name === after?.name) return
    this.services.retire(before.name)
    if (after === undefined) return
    after.meters = undefined
    for (const { mount, activity } of routes) {
      if (activity.meters === undefined) continue
      this.#routes.retire(routeKey(mount, before.name))
      activity.meters = undefined
    }
  }

  readonly durations: MetricSource = sink => {
    this.#noService.collectDurations(sink)
    for (const meters of this.services.all()) meters.collectDurations(sink)
    this.#overflow.collectDurations(sink)
  }

  readonly routeRequests: MetricSource = sink => {
    for (const meters of this.#routes.all()) meters.collect(sink)
  }

  readonly requestBytes: MetricSource = sink => {
    for (const { service, requestBytes } of this.all()) sink.value([service], requestBytes)
  }

  readonly responseBytes: MetricSource = sink => {
    for (const { service, responseBytes } of this.all()) sink.value([service], responseBytes)
  }

  part(part: Part): MetricSource {
    return sink => {
      for (const meters of this.services.all()) meters.collectPart(part, sink)
      this.#overflow.collectPart(part, sink)
    }
  }

  /** Yields the meters of all services, of `_other`, and of requests without a service. */
  *all(): Generator<ServiceMeters> {
    yield this.#noService
    yield* this.services.all()
  }

  #promoteRoutes(): void {
    this.#routes.promote(ownersOf(this.#directory.routes(), route => [route.activity, routeName(route)]))
  }

  #metersOf(service: MeteredService): ServiceMeters {
    if (service.meters !== undefined) return service.meters
    // The object of routes without a service is shared, and cannot change.
    if (service.name === '') return this.#noService
    return this.services.sharedBy(service) ?? this.services.claim(service, service.name)
  }
}

function* ownersOf<Row, Meters>(
  rows: Iterable<Row>,
  ownerOf: (row: Row) => readonly [owner: MeterOwner<Meters>, name: string],
): Generator<readonly [owner: MeterOwner<Meters>, name: string]> {
  for (const row of rows) yield ownerOf(row)
}

const routeName = ({ mount, service }: MeteredRoute): string => routeKey(mount, service.name)
