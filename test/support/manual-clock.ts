// A Clock that stands still until a test moves it. Timers run in the order of their due time, ties in the order
// they were set; a timer set by a timer runs in the same `advance` when it falls due within it.

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

  /** Timers set and neither run nor cancelled: zero when whatever was tested has stopped. */
  get pendingTimers(): number {
    return this.#entries.size
  }

  /** Moves time by `byMs`, running what falls due on the way at exactly its own time. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs
    for (let next = this.#nextDue(untilMs); next; next = this.#nextDue(untilMs)) {
      this.#entries.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      next.task()
    }
    this.#nowMs = untilMs
  }

  /** Time passes and no timer runs, as in a process that is stopped: what falls due does so late, in the next `advance`. */
  freeze(forMs: number): void {
    this.#nowMs += forMs
  }

  /** As `advance`, in steps, letting promises and I/O callbacks of each step run before the next. */
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
