// The balancing policy `peak_ewma`: the process with the lowest cost receives the request.
//
//   cost = max(1 ms, ewma × e^(-Δt/τ)) × (active + 1) / weight        Δt: the time since the last sample
//
// The average rises at once and falls slowly: a sample above the decayed average replaces it, and a lower sample blends in. Because of
// the decay, a process without requests receives one again after some time. Without it, one slow response can exclude a process.

import type { BalancedProcess, Latency } from './balanced-process.ts'

/** Time constant of the average and of its decay. */
const TAU_MS = 5000
/** Lower times are equal: below this, the number of streams decides. */
const LOWEST_MS = 1
/** The value of an average without a sample. */
export const NO_SAMPLE_MS = -1

export function newLatency(): Latency {
  return { ewmaMs: NO_SAMPLE_MS, responseMs: NO_SAMPLE_MS, sampledAtMs: 0 }
}

export function cost(
  { latency: { ewmaMs, sampledAtMs }, active, weight }: BalancedProcess,
  nowMs: number,
): number {
  const decayedMs = ewmaMs * decay(nowMs - sampledAtMs)
  return (Math.max(LOWEST_MS, decayedMs) * (active + 1)) / weight
}

/** Compares all processes. Among equal ones the first wins, so the caller changes the index `start` with each call. */
export function peakEwma<Process extends BalancedProcess>(
  from: readonly Process[],
  start: number,
  nowMs: number,
): Process | undefined {
  let best: Process | undefined
  let bestCost = Number.POSITIVE_INFINITY
  const { length } = from
  let index = start % length
  for (let seen = 0; seen < length; seen += 1) {
    const process = from[index] as Process
    index = index + 1 === length ? 0 : index + 1
    const itsCost = cost(process, nowMs)
    if (itsCost >= bestCost) continue
    best = process
    bestCost = itsCost
  }
  return best
}

/** Adds the time of a response. */
export function addResponse(latency: Latency, sampleMs: number, nowMs: number): void {
  const kept = decay(nowMs - latency.sampledAtMs)
  latency.ewmaMs = blended(latency.ewmaMs, sampleMs, kept)
  latency.responseMs = blended(latency.responseMs, sampleMs, kept)
  latency.sampledAtMs = nowMs
}

/**
 * Adds a failure. It counts as twice the pool's median, because a process that fails at once would otherwise look fast. A
 * failure that took longer counts with its own time. `medianMs`: `NO_SAMPLE_MS` before the first response of the pool.
 */
export function addFailure(latency: Latency, medianMs: number, latencyMs: number, nowMs: number): void {
  const kept = decay(nowMs - latency.sampledAtMs)
  const sampleMs = Math.max(2 * Math.max(LOWEST_MS, medianMs), latencyMs)
  latency.ewmaMs = blended(latency.ewmaMs, sampleMs, kept)
  latency.sampledAtMs = nowMs
}

/** Returns the lower median of the averages with a response; `NO_SAMPLE_MS` without any. */
export function medianOf(latencies: readonly Latency[]): number {
  const known = latencies.map(({ responseMs }) => responseMs).filter(ms => ms !== NO_SAMPLE_MS)
  known.sort((left, right) => left - right)
  return known[(known.length - 1) >> 1] ?? NO_SAMPLE_MS
}

/**
 * Returns e^(-elapsed/τ). A busy process gets many samples in a short time: then three terms of the series are exact to 10⁻⁵, in a
 * fifth of the time of `Math.exp`.
 */
function decay(elapsedMs: number): number {
  const x = elapsedMs / TAU_MS
  return x < 0.03 ? 1 - x + (x * x) / 2 : Math.exp(-x)
}

function blended(averageMs: number, sampleMs: number, kept: number): number {
  const decayedMs = averageMs * kept
  return sampleMs >= decayedMs ? sampleMs : decayedMs + sampleMs * (1 - kept)
}
