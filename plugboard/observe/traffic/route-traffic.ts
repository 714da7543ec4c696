// The traffic of the routes of this replica in the last 10 minutes. Each of the busiest routes has counters and a history of its own. All
// others share their counters, so their traffic is not known.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { MeteredRoute, RequestMetrics } from '../../metrics/request-metrics.ts'
import { routeKey } from '../../metrics/route-meters.ts'
import { ROUTE_HISTORY, ROUTE_RESOLUTION, TrafficHistory } from './traffic-history.ts'
import { NO_TRAFFIC, type TrafficPoint } from './traffic-point.ts'

export interface RouteTrafficOptions {
  readonly requests: Pick<RequestMetrics, 'routeCounters'>
  readonly clock: Clock
  /** Returns undefined for a route that does not exist. */
  readonly route: (id: string) => MeteredRoute | undefined
}

/** One point for each interval; undefined where the replica has none. `shared`: the replica counts the route together with others. */
export type RoutePoints = readonly (TrafficPoint | undefined)[] | 'shared'

export class RouteTraffic {
  readonly #route: RouteTrafficOptions['route']
  readonly #history: TrafficHistory

  constructor({ requests, clock, route }: RouteTrafficOptions) {
    this.#route = route
    this.#history = new TrafficHistory({ ...ROUTE_HISTORY, counters: () => requests.routeCounters(), clock })
  }

  /** Intervals of 10 s, counted from 1970: from `from` to before `until`. Undefined: the replica does not know the route. */
  read(id: string, from: number, until: number): RoutePoints | undefined {
    const route = this.#route(id)
    if (route === undefined) return undefined
    const { mount, service, activity } = route
    const own = this.#history.read(ROUTE_RESOLUTION.seconds, routeKey(mount, service.name), from, until)
    if (own.some(point => point !== undefined)) return own
    if ((activity.unmetered ?? 0) > 0) return 'shared'
    // While there is a place, each route with counters gets a history at the end of the interval with its first request.
    if (activity.meters !== undefined && this.#history.isFull) return 'shared'
    // So the route had no request before the interval in progress, and each interval of the replica is empty.
    return this.#history
      .read(ROUTE_RESOLUTION.seconds, undefined, from, until)
      .map(point => point && NO_TRAFFIC)
  }

  stop(): void {
    this.#history.stop()
  }
}
