// Wall time with a fraction of a millisecond. Many spans take less than one, and the clock of the system shows whole ones. The
// difference between the two clocks is corrected until their times agree.

import type { Clock } from '../clock.ts'

export class PreciseTime {
  readonly #clock: Pick<Clock, 'now' | 'wallTime'>
  /** Wall time at the zero of the monotonic clock. */
  #zeroMs: number

  constructor(clock: Pick<Clock, 'now' | 'wallTime'>) {
    this.#clock = clock
    this.#zeroMs = clock.wallTime() - clock.now()
  }

  /** Returns ms since 1970 for a time of the monotonic clock. */
  at(monotonicMs: number): number {
    const nowMs = this.#clock.now()
    const wallMs = this.#clock.wallTime()
    const differenceMs = this.#zeroMs + nowMs - wallMs
    // The system has cut the fraction, so the real difference is between 0 and 1. Otherwise the estimate is too early, or
    // the clock of the system was set.
    if (differenceMs < 0 || differenceMs >= 1) this.#zeroMs = wallMs - nowMs
    return this.#zeroMs + monotonicMs
  }
}
