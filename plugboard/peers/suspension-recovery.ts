// Detects that this process was suspended (stopped, starved of CPU, swapped out) for so long that other replicas may have let
// its lease expire: the time has jumped between two checks. Its state of links and lines is then outdated, because sockets that
// the far ends have closed look open until the event loop handles them.
//
//   present ──a gap without a check──▶ unverified ──next look()──▶ recovering ──complete, or after patienceMs──▶ present

import type { Clock } from '@vera-stack/shared/clock.ts'

export interface RecoveryOptions {
  readonly clock: Clock
  /** Shortest gap between two checks after which our lease may have expired on other replicas, ms. */
  readonly awayMs: number
  /** Longest recovery, ms. Without it, a replica without peers would wait forever. */
  readonly patienceMs: number
  /** Called once, at the first check after a gap. */
  readonly onReturn: (gapMs: number) => void
  /** Returns true when all links and tunnels were confirmed or closed since `sinceMs` of the clock. */
  readonly complete: (sinceMs: number) => boolean
}

export class SuspensionRecovery {
  readonly #options: RecoveryOptions
  /** Time of the last check; infinity before `start` and after `stop`. */
  #lookedAtMs = Number.POSITIVE_INFINITY
  /** Time at which the gap was detected; undefined while there is no recovery. */
  #sinceMs: number | undefined
  #waiting: (() => void)[] = []
  #soon: NodeJS.Immediate | undefined

  constructor(options: RecoveryOptions) {
    this.#options = options
  }

  /** Starts the detection. From here on, a timer must call `look`. */
  start(): void {
    this.#lookedAtMs = this.#options.clock.now()
  }

  /** Stops the detection, and ends a recovery. */
  stop(): void {
    this.#lookedAtMs = Number.POSITIVE_INFINITY
    this.#sinceMs = undefined
    this.step()
  }

  /**
   * True after a gap, until the next `look`. The event loop may handle requests before timers, and before the close of a tunnel
   * that arrived at the same time.
   */
  get unverified(): boolean {
    return this.#options.clock.now() - this.#lookedAtMs >= this.#options.awayMs
  }

  /** True while missing or unreachable lines may come back in a moment. */
  get underWay(): boolean {
    return this.unverified || (this.#sinceMs !== undefined && !this.#over(this.#sinceMs))
  }

  /** Calls `task` once: at the next `look` or `step`. */
  onStep(task: () => void): void {
    this.#waiting.push(task)
  }

  /** Checks for a gap. A timer calls it at a steady interval. */
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

  /** Checks whether the recovery has ended. Call it after a link or a lease has begun or ended. */
  step(): void {
    if (this.#sinceMs !== undefined && this.#over(this.#sinceMs)) this.#sinceMs = undefined
    for (const task of this.#waiting.splice(0)) task()
  }

  /** Calls `step` once later in this turn, for events that come in thousands. */
  stepSoon(): void {
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined
      this.step()
    })
  }

  #over(sinceMs: number): boolean {
    const { clock, patienceMs, complete } = this.#options
    return clock.now() - sinceMs >= patienceMs || complete(sinceMs)
  }
}
