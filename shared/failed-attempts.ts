// Counts failed log-ins per address, so that a guesser costs us neither queries nor hashes. A bucket per address: it holds
// some attempts and regains them slowly. The map is bounded: the address that failed longest ago is forgotten first.

import { addressGroup } from './address-group.ts'
import type { Clock } from './clock.ts'

export interface FailedAttemptsOptions {
  readonly clock: Clock
  /** Failures in a row that are let through. */
  readonly burst?: number
  /** Time to regain one, ms. */
  readonly regainMs?: number
  readonly maxAddresses?: number
}

export class FailedAttempts {
  readonly #clock: Clock
  readonly #burst: number
  readonly #regainMs: number
  readonly #maxAddresses: number
  /** When the bucket will be full again, in clock time. In order of the last failure. */
  readonly #fullAt = new Map<string, number>()

  constructor(options: FailedAttemptsOptions) {
    this.#clock = options.clock
    this.#burst = options.burst ?? 20
    this.#regainMs = options.regainMs ?? 3000
    this.#maxAddresses = options.maxAddresses ?? 10_000
  }

  /** Milliseconds until the next attempt from here is looked at; 0: now. */
  waitMs(address: string): number {
    const missingMs = (this.#fullAt.get(addressGroup(address)) ?? 0) - this.#clock.now()
    return Math.max(0, Math.ceil(missingMs - (this.#burst - 1) * this.#regainMs))
  }

  failed(address: string): void {
    const bucket = addressGroup(address)
    const now = this.#clock.now()
    const fullAt = Math.max(this.#fullAt.get(bucket) ?? 0, now) + this.#regainMs
    this.#fullAt.delete(bucket)
    this.#fullAt.set(bucket, Math.min(fullAt, now + this.#burst * this.#regainMs))
    if (this.#fullAt.size <= this.#maxAddresses) return
    const [oldest] = this.#fullAt.keys()
    if (oldest !== undefined) this.#fullAt.delete(oldest)
  }

  /** For an attempt that was counted before its outcome was known, and has succeeded. */
  forgive(address: string): void {
    const bucket = addressGroup(address)
    const fullAt = this.#fullAt.get(bucket)
    if (fullAt !== undefined) this.#fullAt.set(bucket, fullAt - this.#regainMs)
  }
}
