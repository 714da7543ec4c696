// Requests per second of one client address to one service: a bucket of tokens each, refilled by the clock, as large as
// what one second brings. Only services that have a limit come here. Each replica counts for itself.

import { addressGroup } from '../../common/address-group.ts'

interface Bucket {
  tokens: number
  /** When it was looked at last, ms of the clock. */
  atMs: number
}

/** After this, a bucket has been full for long, whatever its rate: a second fills it. */
const FULL_AFTER_MS = 1000

export class RequestRates {
  readonly #buckets = new Map<string, Bucket>()
  readonly #maxBuckets: number

  constructor(maxBuckets = 100_000) {
    this.#maxBuckets = maxBuckets
  }

  /** False: one too many. `nowMs`: of the clock. */
  take(serviceId: string, address: string, perSecond: number, nowMs: number): boolean {
    const key = `${serviceId} ${addressGroup(address)}`
    const bucket = this.#buckets.get(key)
    if (bucket === undefined) {
      if (this.#buckets.size >= this.#maxBuckets) this.#forget(nowMs)
      this.#buckets.set(key, { tokens: perSecond - 1, atMs: nowMs })
      return true
    }
    bucket.tokens = Math.min(perSecond, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * perSecond)
    bucket.atMs = nowMs
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }

  /** Drops those that say nothing any more; when that is none of them, all: a limit must not become a leak. */
  #forget(nowMs: number): void {
    for (const [key, { atMs }] of this.#buckets) {
      if (nowMs - atMs >= FULL_AFTER_MS) this.#buckets.delete(key)
    }
    if (this.#buckets.size >= this.#maxBuckets) this.#buckets.clear()
  }
}
