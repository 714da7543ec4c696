// Applies the overrides of telephone processes (weight, ejection) to the processes of the pools. The values become fields of the
// process that each pick reads without overrides too, so requests of other services and processes cost the same as without overrides. A
// timer ends an ejection.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { updateAdmits } from '../outliers/watched-process.ts'
import { instanceOf, type LinePool, type PooledProcess, type ProcessSetting } from './line-pool.ts'
import { setOverride } from './pool-lines.ts'
import { startSlowly } from './slow-start.ts'

/** Overrides by the name of the service and the id of the process. */
export interface OverrideSource {
  of(service: string, instance: string): ProcessSetting | undefined
  /** Calls `listener` after a change. Returns a function that unsubscribes. */
  subscribe(listener: (service: string, instance: string) => void): () => void
}

/** Longest time of one timer. An ejection that lasts longer gets further ones. */
const LONGEST_TIMER_MS = 3_600_000

export interface ProcessOverridesOptions {
  readonly clock: Clock
  readonly source: OverrideSource | undefined
  readonly poolOf: (service: string) => LinePool | undefined
}

export class ProcessOverrides {
  readonly #options: ProcessOverridesOptions
  readonly #listeners = new Set<() => void>()
  readonly #unsubscribe: (() => void) | undefined

  constructor(options: ProcessOverridesOptions) {
    this.#options = options
    this.#unsubscribe = options.source?.subscribe((service, instance) => this.#changed(service, instance))
  }

  /** Ends the timers of these pools. */
  close(pools: Iterable<LinePool>): void {
    this.#unsubscribe?.()
    for (const { known } of pools) for (const process of known.values()) this.forget(process)
  }

  /** Call when the first line of a process was added. */
  apply(pool: LinePool, process: PooledProcess): void {
    const override = this.#options.source?.of(pool.service, instanceOf(process))
    if (override !== undefined || process.override !== undefined) this.#set(pool, process, override)
  }

  /** Call when the last line of a process was removed. */
  forget(process: PooledProcess): void {
    process.holdTimer?.cancel()
    process.holdTimer = undefined
  }

  /** Calls `listener` when a process may take requests again, until the returned function is called. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #changed(service: string, instance: string): void {
    const pool = this.#options.poolOf(service)
    if (pool === undefined) return
    for (const process of pool.processes) if (instanceOf(process) === instance) this.apply(pool, process)
    for (const listener of this.#listeners) listener()
  }

  #set(pool: LinePool, process: PooledProcess, override: ProcessSetting | undefined): void {
    setOverride(pool, process, override, this.#options.clock.now())
    this.#hold(pool, process)
  }

  /** Keeps requests from the process until its ejection is over. */
  #hold(pool: LinePool, process: PooledProcess): void {
    const { clock } = this.#options
    const { watch, override } = process
    const remainingMs = (override?.ejectedUntilMs ?? 0) - clock.wallTime()
    const wasHeld = watch.isHeld
    this.forget(process)
    watch.isHeld = remainingMs > 0
    updateAdmits(watch)
    if (watch.isHeld) {
      process.holdTimer = clock.after(Math.min(remainingMs, LONGEST_TIMER_MS), () => {
        this.#hold(pool, process)
        if (!watch.isHeld) for (const listener of this.#listeners) listener()
      })
    } else if (wasHeld) startSlowly(pool, process, clock.now())
  }
}
