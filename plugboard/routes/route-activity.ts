// The last request of a route, in memory. A request writes two fields of an object that it already has. route-recorder.ts reads
// them once a minute.

export class RouteActivity {
  /**
   * Time of the last request, ms of the clock. The first value is not an integer, so that V8 stores the number inside the object
   * and a request needs no allocation.
   */
  servedAtMs = Number.NEGATIVE_INFINITY
  /** Name of the telephone that got the last request; empty: no telephone got it. */
  telephone = ''
}
