// The last request of a route, in memory, and its metrics. A request writes fields of an object that it already has.
// route-recorder.ts reads the first two once a minute.

import type { MeterOwner } from '../metrics/meter-slots.ts'
import type { RouteMeters } from '../metrics/route-meters.ts'

export class RouteActivity implements MeterOwner<RouteMeters> {
  /**
   * Time of the last request, ms of the clock. The first value is not an integer, so that V8 stores the number inside the object
   * and a request needs no allocation.
   */
  servedAtMs = Number.NEGATIVE_INFINITY
  /** Name of the telephone that got the last request; empty: no telephone got it. */
  telephone = ''
  meters: RouteMeters | undefined
  unmetered: number | undefined
}
