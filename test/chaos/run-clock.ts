// The time of a chaos run, ms: that of performance.now() without the stalls of this process. All relays, the load balancer
// and the client run in it, so while it stands still the network stands still as well: a replica receives the last bytes of
// a killed one later, and its lease ends later. A virtual machine that is suspended for two seconds looks the same. The
// bounds of the product count from events that this process causes and observes, so such time is left out of each window.

/** The time between two checks of the clock, ms. */
const TICK_MS = 20
/** A check that is later than this counts as a stall. On a busy machine, checks are late by less, ms. */
const STALL_MS = 250

export class RunClock {
  readonly #timeMs: () => number
  #timer: NodeJS.Timeout | undefined
  #lastMs: number
  #stalledMs = 0
  #stalls = 0

  /** `timeMs`: a monotonic time, ms. */
  constructor(timeMs: () => number = () => performance.now()) {
    this.#timeMs = timeMs
    this.#lastMs = timeMs()
  }

  /** Checks the clock regularly from now on. Without these checks, a pause between two calls of `now` counts as a stall. */
  start(): void {
    this.#lastMs = this.#timeMs()
    this.#timer = setInterval(() => this.now(), TICK_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  now(): number {
    const timeMs = this.#timeMs()
    const gapMs = timeMs - this.#lastMs
    this.#lastMs = timeMs
    if (gapMs > STALL_MS) {
      this.#stalledMs += gapMs - TICK_MS
      this.#stalls += 1
    }
    return timeMs - this.#stalledMs
  }

  /** The number of stalls of this process, and their total time. */
  get stalls(): { readonly count: number; readonly ms: number } {
    return { count: this.#stalls, ms: this.#stalledMs }
  }
}
