// Notices that this process was away (stopped, starved of CPU, swapped out) for so long that the others have taken it
// for dead: time has jumped between two looks. What it knows of links and lines is then of before, and says so nowhere:
// sockets that were closed meanwhile look open until the loop gets to them.
//
//   present ──a gap, seen by whoever asks first──▶ doubtful ──next look──▶ recovering ──whole again, or patience over──▶ present

import type { Clock } from '@vera-stack/shared/clock.ts'

export interface RecoveryOptions {
  readonly clock: Clock
  /** A gap between looks that others may have taken for our death, ms. */
  readonly awayMs: number
  /** A recovery takes no longer than this, ms: who is alone would wait for ever. */
  readonly patienceMs: number
  /** Once, at the first look after a gap. */
  readonly onReturn: (gapMs: number) => void
  /** All that was known is proved, or known to be gone, by what has happened since `sinceMs` of the clock. */
  readonly whole: (sinceMs: number) => boolean
}

export class Recovery {
  readonly #options: RecoveryOptions
  /** At infinity while nobody looks. */
  #lookedAtMs = Number.POSITIVE_INFINITY
  /** When the gap was noticed; undefined: there is nothing to recover from. */
  #sinceMs: number | undefined
  #waiting: (() => void)[] = []
  #soon: NodeJS.Immediate | undefined

  constructor(options: RecoveryOptions) {
    this.#options = options
  }

  /** From here on `look` is called. */
  start(): void {
    this.#lookedAtMs = this.#options.clock.now()
  }

  /** No more looks. */
  stop(): void {
    this.#lookedAtMs = Number.POSITIVE_INFINITY
    this.#sinceMs = undefined
    this.step()
  }

  /**
   * Nobody has looked since the gap: the loop may read requests before it runs timers, and before the end of a tunnel
   * that lies beside them.
   */
  get doubtful(): boolean {
    return this.#options.clock.now() - this.#lookedAtMs >= this.#options.awayMs
  }

  /** Lines that are not there, or not reached, may be so again in a moment. */
  get underWay(): boolean {
    return this.doubtful || (this.#sinceMs !== undefined && !this.#over(this.#sinceMs))
  }

  /** Calls back once: at the next look, or when something has changed. */
  onStep(task: () => void): void {
    this.#waiting.push(task)
  }

  /** At steady intervals, by a timer. */
  look(): void {
    const { clock, awayMs, onReturn } = this.#options
    const nowMs = clock.now()
    const gapMs = nowMs - this.#lookedAtMs
    this.#lookedAtMs = nowMs
    if (gapMs >= awayMs) {
      this.#sinceMs = nowMs
      onReturn(gapMs)
    }
    this.step()
  }

  /** A link or a lease has begun or ended. */
  step(): void {
    if (this.#sinceMs !== undefined && this.#over(this.#sinceMs)) this.#sinceMs = undefined
    for (const task of this.#waiting.splice(0)) task()
  }

  /** As `step`, for what comes in thousands. */
  stepSoon(): void {
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined
      this.step()
    })
  }

  #over(sinceMs: number): boolean {
    const { clock, patienceMs, whole } = this.#options
    return clock.now() - sinceMs >= patienceMs || whole(sinceMs)
  }
}
