// Wall time with fractions of a millisecond. Many spans are shorter than a millisecond, and the system clock returns whole
// milliseconds. The offset between the monotonic clock and the system clock is corrected until both agree.

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
    // The system clock cuts the fraction, so a right estimate is later than it by 0 to 1 ms. Any other difference shows that the
    // estimate is wrong, or that the system clock was set.
    if (differenceMs < 0 || differenceMs >= 1) this.#zeroMs = wallMs - nowMs
    return this.#zeroMs + monotonicMs
  }
}
