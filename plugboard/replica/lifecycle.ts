// The phase of a replica, and the time that its stop leaves to open requests.
//
//   loading ──started──▶ ready ◀──▶ recovering (links are checked again after a suspension)
//      └──────────stop──────┴──stop──▶ draining

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Phase } from '../common/phase.ts'

/** The time for the last frames of tunnels and links after the grace period, ms. */
const GOODBYE_MS = 500

export class Lifecycle {
  readonly #clock: Clock
  readonly #drainTimeoutMs: number
  #phase: 'loading' | 'ready' | 'draining' = 'loading'
  #drainUntilMs: number | undefined
  /** True while links are checked again. A cluster replaces it. */
  recovering: () => boolean = () => false

  constructor(clock: Clock, drainTimeoutMs: number) {
    this.#clock = clock
    this.#drainTimeoutMs = drainTimeoutMs
  }

  /** The phase that `/readyz` reports. */
  get phase(): Phase {
    return this.#phase === 'ready' && this.recovering() ? 'recovering' : this.#phase
  }

  /** Ends the phase "loading". No effect when a stop was requested during the start. */
  started(): void {
    if (this.#phase === 'loading') this.#phase = 'ready'
  }

  drain(): void {
    this.#phase = 'draining'
  }

  /** Returns the rest of the grace period, ms. It begins with the first part that drains, and is one period for all parts. */
  graceMs(): number {
    const nowMs = this.#clock.now()
    this.#drainUntilMs ??= nowMs + this.#drainTimeoutMs
    return Math.max(GOODBYE_MS, this.#drainUntilMs - nowMs)
  }
}
