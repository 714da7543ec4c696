// Counts failed log-ins, so that guessing causes few queries and hashes. Each bucket (an address, or a user behind an
// address) holds some attempts and regains them slowly. The map is bounded: the bucket that failed longest ago goes first.

import type { Clock } from '@vera-stack/shared/clock.ts'

export interface FailedAttemptsOptions {
  readonly clock: Clock
  /** Failures in a row that are let through. */
  readonly burst?: number
  /** Time to regain one, ms. */
  readonly regainMs?: number
  readonly maxBuckets?: number
}

export class FailedAttempts {
  readonly #clock: Clock
  readonly #burst: number
  readonly #regainMs: number
  readonly #maxBuckets: number
  /** When the bucket will be full again, in clock time. In order of the last failure. */
  readonly #fullAt = new Map<string, number>()

  constructor(options: FailedAttemptsOptions) {
    this.#clock = options.clock
    this.#burst = options.burst ?? 20
    this.#regainMs = options.regainMs ?? 3000
    this.#maxBuckets = options.maxBuckets ?? 10_000
  }

  /** Milliseconds until the bucket has an attempt again; 0: now. `bucket`: for an address, its `addressGroup`. */
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

  /** Takes back a failure that was counted before its outcome was known, for an attempt that `waitMs` has allowed. */
  forgive(bucket: string): void {
    const fullAt = this.#fullAt.get(bucket)
    if (fullAt !== undefined) this.#fullAt.set(bucket, fullAt - this.#regainMs)
  }
}
