// Time as a parameter: sessions, back-off and caches take a Clock, so that a test can advance the time itself.

// Imported, because the global variable of this name is a getter, which takes a third of the time of a read.
import { performance } from 'node:perf_hooks'

export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Returns monotonic milliseconds. Only the difference between two values has a meaning. */
  now(): number
  /** Returns milliseconds since 1970, for tokens and database rows. */
  wallTime(): number
  /** Runs `task` once after `delayMs`. Does not keep the process alive. */
  after(delayMs: number, task: () => void): Timer
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  after(delayMs, task) {
    const handle = setTimeout(task, delayMs)
    handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}
