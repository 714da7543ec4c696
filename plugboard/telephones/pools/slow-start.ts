// Slow start (`slowStartMs`): a process that starts to take requests begins with 10 % of its weight, and its weight grows to the
// full one in this time. So a cold backend is not flooded.

import type { LinePool, PooledProcess } from './line-pool.ts'

/** The part of its weight with which a process starts. */
const FIRST_PART = 0.1

/** Call when the process starts to take requests: it is new, healthy again, or re-admitted. */
export function startSlowly(pool: LinePool, process: PooledProcess, nowMs: number): void {
  process.startedAtMs = nowMs
  pool.newestStartMs = nowMs
}

/** Returns the part of its weight that the process has at this time: 1 after its start. */
export function slowStartPart(
  { startedAtMs }: Pick<PooledProcess, 'startedAtMs'>,
  slowStartMs: number,
  nowMs: number,
): number {
  if (nowMs - startedAtMs >= slowStartMs) return 1
  return FIRST_PART + ((1 - FIRST_PART) * (nowMs - startedAtMs)) / slowStartMs
}

/** Sets the weights of the processes for a choice at this time. Does no work when all processes have their full weight. */
export function applySlowStart(
  pool: LinePool,
  from: readonly PooledProcess[],
  slowStartMs: number,
  nowMs: number,
): void {
  if (nowMs - pool.newestStartMs < slowStartMs) {
    pool.hasSlowWeights = true
    for (const process of from) {
      process.weight = process.fullWeight * slowStartPart(process, slowStartMs, nowMs)
    }
  } else if (pool.hasSlowWeights) {
    pool.hasSlowWeights = false
    for (const process of pool.processes) process.weight = process.fullWeight
  }
}
