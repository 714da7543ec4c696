// Counts failed log-ins, so that an attacker who guesses passwords causes few queries and hashes. Each bucket (an address, or
// a user behind an address) holds some attempts and regains them slowly. The map is bounded: when it is full, the bucket with
// the oldest failure is removed.

import type { Clock } from '@vera-stack/shared/clock.ts'

export interface FailedAttemptsOptions {
  readonly clock: Clock
  /** The number of consecutive failures that are allowed without a wait. */
  readonly burst?: number
  /** The time in which a bucket regains one attempt, ms. */
  readonly regainMs?: number
  readonly maxBuckets?: number
}

export class FailedAttempts {
  readonly #clock: Clock
  readonly #burst: number
  readonly #regainMs: number
  readonly #maxBuckets: number
  /** By bucket: the clock time at which it is full again. Ordered by the last failure. */
  readonly #fullAt = new Map<string, number>()

  constructor(options: FailedAttemptsOptions) {
    this.#clock = options.clock
    this.#burst = options.burst ?? 20
    this.#regainMs = options.regainMs ?? 3000
    this.#maxBuckets = options.maxBuckets ?? 10_000
  }

  /** Returns the ms until the bucket has an attempt again; 0: it has one now. `bucket`: for an address, its `addressGroup`. */
  waitMs(bucket: string): number {
    const missingMs = (this.#fullAt.get(bucket) ?? 0) - this.#clock.now()
    return Math.max(0, Math.ceil(missingMs - (this.#burst - 1) * this.#regainMs))
  }

  failed(bucket: string): void {
    const now = this.#clock.now()
    const fullAt = Math.max(this.#fullAt.get(bucket) ?? 0, now) + this.#regainMs
    this.#fullAt.delete(bucket)
    this.#fullAt.set(bucket, Math.min(fullAt, now + this.#burst * this.#regainMs))
    if (this.#fullAt.size <= this.#maxBuckets) return
    const [oldest] = this.#fullAt.keys()
    if (oldest !== undefined) this.#fullAt.delete(oldest)
  }

  /** Removes a failure that was counted in advance, for an attempt that `waitMs` allowed and that then succeeded. */
  forgive(bucket: string): void {
    const fullAt = this.#fullAt.get(bucket)
    if (fullAt !== undefined) this.#fullAt.set(bucket, fullAt - this.#regainMs)
  }
}
