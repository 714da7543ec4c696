// The rules by which a process is ejected, as functions of counts. Each rule compares the process with the rest of its pool: a
// request that fails on every process is not a fault of one process, so an ejection would help no client.

import type { PoolResults, WatchedProcess } from './watched-process.ts'

/** The rule `error_responses` needs this many results of the process in 10 s, and as many of the rest. */
const MIN_RESULTS = 20
/** Share of errors from which a process can be ejected, and the largest share of the rest. */
const ERROR_SHARE = 0.5
const REST_ERROR_SHARE = 0.2
/**
 * A row of failures counts when it is improbable: a process that fails as often as the rest of the pool has such a row with at most
 * this probability. Without failures of the rest, `consecutive` failures are enough. If half of the attempts of the rest fail, 30
 * failures are needed.
 */
const CHANCE = 1e-9

/** True for a status by which a backend, or a server in front of it, reports that it does not work. */
export function isGatewayFailure(status: number): boolean {
  return status === 502 || status === 503 || status === 504
}

/**
 * Returns true when the process had `consecutive` failures in a row, and the rest of the pool did better in the same time. No
 * request can cause a refused connection, so after a row of these one success of the rest is enough, if it started after the
 * first failure: all backends may have stopped together.
 */
export function failsInARow(
  { run, refusedRun, runSinceMs, totalBefore, failedBefore }: WatchedProcess,
  pool: PoolResults,
  consecutive: number,
): boolean {
  if (run < consecutive) return false
  if (refusedRun >= consecutive) return pool.successStartMs > runSinceMs
  const restTotal = pool.resultsTotal - totalBefore - run
  const restFailed = pool.resultsFailed - failedBefore - run
  if (restTotal < consecutive) return false
  return (restFailed / restTotal) ** run <= CHANCE
}

/** Returns true when at least half of the last results were errors. Call it before `failsMore`, which costs more. */
export function isErrorProne({ window }: WatchedProcess): boolean {
  return window.total >= MIN_RESULTS && window.errors >= window.total * ERROR_SHARE
}

/**
 * Returns true when the rest of the pool has few errors while the process is error-prone. `others`: the other serving
 * processes. Error-prone processes among them do not count, so that several failing processes do not protect each other.
 */
export function failsMore(watch: WatchedProcess, others: Iterable<WatchedProcess>, nowMs: number): boolean {
  watch.window.advance(nowMs)
  if (!isErrorProne(watch)) return false
  let total = 0
  let errors = 0
  for (const other of others) {
    other.window.advance(nowMs)
    if (isErrorProne(other)) continue
    total += other.window.total
    errors += other.window.errors
  }
  return total >= MIN_RESULTS && errors <= total * REST_ERROR_SHARE
}
