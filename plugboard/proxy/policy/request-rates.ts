// Limits the requests per second of one client address to one service. Each pair has a token bucket that holds the tokens of
// one second. Only services with a limit have buckets. Each replica counts separately.

import type { ServiceId } from '../../common/ids/row-ids.ts'
import { addressGroup } from '../../common/net/address-group.ts'

interface Bucket {
  tokens: number
  /** The time of the last request, ms of the clock. */
  atMs: number
}

/** An unused bucket is full after this time, at every rate: one second fills it. */
const FULL_AFTER_MS = 1000

export class RequestRates {
  readonly #buckets = new Map<string, Bucket>()
  readonly #maxBuckets: number

  constructor(maxBuckets = 100_000) {
    this.#maxBuckets = maxBuckets
  }

  /** Takes a token. Returns false when the request exceeds the rate. `nowMs`: time of the clock. */
  take(serviceId: ServiceId, address: string, perSecond: number, nowMs: number): boolean {
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

  /** Evicts full buckets first. When every bucket is in use, evicts all of them, so that memory stays bounded. */
  #forget(nowMs: number): void {
    for (const [key, { atMs }] of this.#buckets) {
      if (nowMs - atMs >= FULL_AFTER_MS) this.#buckets.delete(key)
    }
    if (this.#buckets.size >= this.#maxBuckets) this.#buckets.clear()
  }
}
