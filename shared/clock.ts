// Time as a parameter: sessions, back-off and caches take a Clock, so that tests move time by hand.

export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Milliseconds that never go backwards; only differences mean something. */
  now(): number
  /** Milliseconds since 1970, for tokens and database rows. */
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
