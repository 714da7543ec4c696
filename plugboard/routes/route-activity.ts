// When a route last had a request, in memory. A request writes two fields of an object that it has anyway; route-recorder.ts
// reads them once a minute.

export class RouteActivity {
  /**
   * In time of the clock. Never an integer at first, so that V8 keeps the number inside of the object and a request
   * allocates nothing.
   */
  servedAtMs = Number.NEGATIVE_INFINITY
  /** Name of the telephone that got the last request; empty: no telephone did. */
  telephone = ''
}
