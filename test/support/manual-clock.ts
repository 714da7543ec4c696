// A Clock whose time changes only when a test advances it. Timers run in the order of their due time; timers with the same due
// time run in the order of their creation. A timer that another timer sets runs in the same `advance` when it is due by then.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'

interface Entry {
  readonly dueMs: number
  readonly order: number
  readonly task: () => void
}

export class ManualClock implements Clock {
  #nowMs: number
  #order = 0
  readonly #wallOffsetMs: number
  readonly #entries = new Set<Entry>()

  constructor(startMs = 1000, wallTimeMs = 1_700_000_000_000) {
    this.#nowMs = startMs
    this.#wallOffsetMs = wallTimeMs - startMs
  }

  now(): number {
    return this.#nowMs
  }

  wallTime(): number {
    return this.#nowMs + this.#wallOffsetMs
  }

  after(delayMs: number, task: () => void): Timer {
    const entry: Entry = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, task }
    this.#entries.add(entry)
    return { cancel: () => void this.#entries.delete(entry) }
  }

  /** Timers that have not run and are not cancelled. Zero when the tested object has stopped. */
  get pendingTimers(): number {
    return this.#entries.size
  }

  /** Advances the time by `byMs`, and runs each timer at exactly its due time. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs
    for (let next = this.#nextDue(untilMs); next; next = this.#nextDue(untilMs)) {
      this.#entries.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      next.task()
    }
    this.#nowMs = untilMs
  }

  /** Advances the time and runs no timer, as in a stopped process. Timers that are due run late, in the next `advance`. */
  freeze(forMs: number): void {
    this.#nowMs += forMs
  }

  /** Advances in steps. Promises and I/O callbacks of each step run before the next step. */
  async advanceAsync(byMs: number, stepMs = byMs): Promise<void> {
    for (let left = byMs; left > 0; left -= stepMs) {
      this.advance(Math.min(stepMs, left))
      await new Promise<void>(resolve => setImmediate(resolve))
    }
  }

  #nextDue(untilMs: number): Entry | undefined {
    let found: Entry | undefined
    for (const entry of this.#entries) {
      if (entry.dueMs > untilMs) continue
      if (!found || entry.dueMs < found.dueMs || (entry.dueMs === found.dueMs && entry.order < found.order)) {
        found = entry
      }
    }
    return found
  }
}
