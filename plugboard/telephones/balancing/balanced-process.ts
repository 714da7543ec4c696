// The values of a telephone process that the balancing policies compare. The policies depend on these fields only, so a test
// can give them plain objects.

/** The response times of a process: the time from the sent request to the head of the response. */
export interface Latency {
  /** Average of all attempts, in which a failure counts as a slow response. `NO_SAMPLE_MS` of peak-ewma.ts: no sample yet. */
  ewmaMs: number
  /** Average of the responses alone. The pool's median uses it, so that failures cannot raise each other. */
  responseMs: number
  /** Time of the last sample. */
  sampledAtMs: number
}

export interface BalancedProcess {
  /** Share of the requests in relation to the other processes; above 0. Lower than announced during a slow start. */
  readonly weight: number
  /** Open streams of the service on all lines of the process, through this replica. */
  readonly active: number
  /** True when a tunnel of the process ends on this replica. */
  readonly isLocal: boolean
  readonly latency: Latency
  /** The hash that identifies the process for `hash`. */
  readonly seed: number
  /** Credit of the process for `round_robin`. Only that policy changes it. */
  turn: number
}
