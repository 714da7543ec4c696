// The response times of the processes of a pool: records each result, and gives a new process the median of the pool. A
// process without a value would receive all requests until its first response.

import { addFailure, addResponse, medianOf, NO_SAMPLE_MS } from '../balancing/peak-ewma.ts'
import type { Candidate, LinePool, PooledProcess } from './line-pool.ts'

/** The median of a pool is computed at most once in this time, because failures can be frequent. */
const MEDIAN_MS = 100

/** Records a response. A status of 500 or more is a failure: an application that fails at once is not a fast one. */
export function recordResponse(
  { pool, process }: Candidate,
  status: number,
  latencyMs: number,
  nowMs: number,
): void {
  if (status >= 500) {
    addFailure(process.latency, medianMs(pool, nowMs), latencyMs, nowMs)
    return
  }
  const isFirst = process.latency.responseMs === NO_SAMPLE_MS
  addResponse(process.latency, latencyMs, nowMs)
  if (!isFirst) return
  pool.medianAtMs = Number.NEGATIVE_INFINITY
  for (const each of pool.processes) startAtMedian(pool, each, nowMs)
}

export function recordFailure({ pool, process }: Candidate, latencyMs: number, nowMs: number): void {
  addFailure(process.latency, medianMs(pool, nowMs), latencyMs, nowMs)
}

/** Gives a process without a sample the median of the pool. */
export function startAtMedian(pool: LinePool, { latency }: PooledProcess, nowMs: number): void {
  if (latency.ewmaMs !== NO_SAMPLE_MS) return
  latency.ewmaMs = medianMs(pool, nowMs)
  latency.sampledAtMs = nowMs
}

function medianMs(pool: LinePool, nowMs: number): number {
  if (nowMs - pool.medianAtMs >= MEDIAN_MS) {
    pool.medianMs = medianOf(pool.processes.map(({ latency }) => latency))
    pool.medianAtMs = nowMs
  }
  return pool.medianMs
}
