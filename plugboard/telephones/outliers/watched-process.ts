// The records of passive ejection about one telephone process and about its pool. Plain data: the rules (outlier-rules.ts) read
// it, and outliers.ts alone changes it.

import type { Timer } from '@vera-stack/shared/clock.ts'
import { type EjectionReason, HEALTHY, type OutlierState } from './outlier-state.ts'
import { ResultWindow } from './result-window.ts'

/** Failures that are kept of each process, for its operator. */
export const KEPT_FAILURES = 5

export interface RecordedFailure {
  /** Milliseconds since 1970. */
  readonly atMs: number
  /** A status such as `503`, or why the attempt failed, such as `refused`. */
  readonly failure: string
}

export interface WatchedProcess {
  state: OutlierState
  /** False while the process receives no request: it is ejected, or it is half-open and has a trial. `updateAdmits` sets it. */
  admits: boolean
  /** True while an operator has ejected the process: see pools/process-overrides.ts. */
  isHeld: boolean
  /** The holder of the trial stream of a half-open process, until the head of its response. */
  trial: object | undefined
  /** Failures in a row, and how many of the last ones were refused connections. */
  run: number
  refusedRun: number
  /** The time of the first failure in the row, and the counts of the pool before it. */
  runSinceMs: number
  totalBefore: number
  failedBefore: number
  readonly window: ResultWindow
  /** Why the process was ejected last; undefined: it never was. */
  reason: EjectionReason | undefined
  /** The last failures, the oldest first. */
  failures: readonly RecordedFailure[]
  /** Ends the ejection. While the process is half-open: ends the wait for the result of the trial. */
  timer: Timer | undefined
  /** The rules are not evaluated before this time, because they were evaluated a moment ago. */
  evaluateAtMs: number
}

/** Counts of the attempts on the serving processes of a pool. They only grow. */
export interface PoolResults {
  resultsTotal: number
  /** Failures of the kind that a row is made of: see `isGatewayFailure`. */
  resultsFailed: number
  /** The time at which the last successful attempt had started. */
  successStartMs: number
}

/** Creates the record of a process without results. */
export function newWatch(): WatchedProcess {
  return {
    state: HEALTHY,
    admits: true,
    isHeld: false,
    trial: undefined,
    run: 0,
    refusedRun: 0,
    runSinceMs: 0,
    totalBefore: 0,
    failedBefore: 0,
    window: new ResultWindow(),
    reason: undefined,
    failures: [],
    timer: undefined,
    evaluateAtMs: Number.NEGATIVE_INFINITY,
  }
}

/** Returns true when neither passive ejection nor an operator keeps requests from the process. */
export function isServing({ state, isHeld }: WatchedProcess): boolean {
  return state.kind === 'serving' && !isHeld
}

/** Call after each change of the state, of the trial, or of `isHeld`. */
export function updateAdmits(watch: WatchedProcess): void {
  watch.admits = watch.state.kind !== 'ejected' && watch.trial === undefined && !watch.isHeld
}

/** Returns true when the record has to outlive a short interruption of the tunnels: the process failed last. */
export function isWatched({ state, run }: WatchedProcess): boolean {
  return state.kind !== 'serving' || run > 0
}

/** Returns true when the record of a process without lines and streams has no effect any more. */
export function isOver({ state }: WatchedProcess, nowMs: number): boolean {
  return state.kind !== 'ejected' || state.untilMs <= nowMs
}

export function noteFailure(watch: WatchedProcess, failure: RecordedFailure): void {
  watch.failures = [...watch.failures.slice(1 - KEPT_FAILURES), failure]
}

/** Removes the results, because they belong to the time before the state changed. */
export function forgetResults(watch: WatchedProcess): void {
  watch.run = 0
  watch.refusedRun = 0
  watch.window.clear()
}
