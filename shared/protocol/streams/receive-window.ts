// The receiving side of flow control for one stream: counts the bytes that the peer may still send, and decides when to
// return credit and when the window grows.
//
// When half of a window is used within two round trips, the window may limit the stream, so it doubles (after M. Fisk
// and W. Feng, "Dynamic right-sizing", 2001). When the last doubling did not raise the rate by a quarter, another
// limit applies, and a larger window would only lengthen the queue; then the window stays (the rule by which BBR leaves
// its start-up phase). A reader that stalls returns no credit, so its window never grows.

import { CREDIT_MAX_BYTES } from '../wire/frame.ts'

/** The window doubles again only when the last doubling raised the rate by this factor. */
const WORTHWHILE = 1.25
/** Shortest time over which a rate is measured, ms. Shorter measurements are too inexact. */
const SHORTEST_MEASURE_MS = 10

/** Bytes by which windows may grow. The streams of a session (or of a process) share them. */
export class GrowthBudget {
  #freeBytes: number

  constructor(bytes: number) {
    this.#freeBytes = bytes
  }

  /** Takes up to `bytes` from the budget. Returns the number of bytes taken. */
  take(bytes: number): number {
    const taken = Math.min(bytes, this.#freeBytes)
    this.#freeBytes -= taken
    return taken
  }

  give(bytes: number): void {
    this.#freeBytes += bytes
  }
}

export class ReceiveWindow {
  readonly #firstBytes: number
  #sizeBytes: number
  #grownBytes = 0
  /** Bytes that the peer may still send. */
  #creditBytes: number
  /** Bytes that the owner has consumed and that are not returned as credit yet. */
  #consumedBytes = 0
  /** True after credit was returned at least once. */
  #shown = false
  #lastUpdateMs = 0
  // The current measurement of the rate, and the rate of the measurement before the last doubling, bytes per ms.
  #measuredSinceMs = 0
  #measuredBytes = 0
  #rateBefore = 0

  /** `firstBytes`: the first credit is returned after this many consumed bytes, if that is less than half of the window. */
  constructor(initialBytes: number, firstBytes = initialBytes) {
    this.#firstBytes = firstBytes
    this.#sizeBytes = initialBytes
    this.#creditBytes = initialBytes
  }

  /** Bytes that were received and that the owner has not consumed. */
  get unreadBytes(): number {
    return this.#sizeBytes - this.#creditBytes - this.#consumedBytes
  }

  /** True when the peer may send no more bytes. */
  get isUsedUp(): boolean {
    return this.#creditBytes === 0
  }

  /** Counts received bytes. Returns false when the peer sent more than its credit. */
  receive(bytes: number): boolean {
    this.#creditBytes -= bytes
    return this.#creditBytes >= 0
  }

  /**
   * Counts consumed bytes. Returns true when the caller should call `update`: half of the window can be returned, or the
   * first credit is due. Throws RangeError when more bytes are consumed than have arrived, because the window would grow.
   */
  consume(bytes: number): boolean {
    const { unreadBytes } = this
    if (bytes > unreadBytes) throw new RangeError(`consumed ${bytes} bytes of ${unreadBytes} unread`)
    this.#consumedBytes += bytes
    const first = !this.#shown && this.#consumedBytes >= this.#firstBytes
    return first || this.#isHalf
  }

  /** Returns the credit to send now, bytes: the consumed bytes and the growth of the window. */
  update(nowMs: number, rttMs: number, maxBytes: number, budget: GrowthBudget): number {
    let grant = this.#consumedBytes
    this.#shown = true
    // The first bytes waited until the stream was accepted, so their rate is not the rate of the path.
    if (!this.#isHalf) return this.#give(grant)
    if (this.#lastUpdateMs === 0) {
      this.#measuredSinceMs = nowMs
    } else {
      this.#measuredBytes += grant
      const limited = nowMs - this.#lastUpdateMs < 2 * rttMs
      if (limited && this.#sizeBytes < maxBytes && this.#growthHelps(nowMs, rttMs)) {
        const growth = budget.take(Math.min(this.#sizeBytes, maxBytes - this.#sizeBytes))
        this.#sizeBytes += growth
        this.#grownBytes += growth
        grant += growth
      }
    }
    this.#lastUpdateMs = nowMs
    return this.#give(grant)
  }

  get #isHalf(): boolean {
    return this.#consumedBytes * 2 >= this.#sizeBytes
  }

  #give(grant: number): number {
    this.#consumedBytes = 0
    this.#creditBytes = Math.min(this.#creditBytes + grant, CREDIT_MAX_BYTES)
    return grant
  }

  /** Returns true when a measurement is complete and the last doubling raised the rate, or when no doubling was measured. */
  #growthHelps(nowMs: number, rttMs: number): boolean {
    const elapsedMs = nowMs - this.#measuredSinceMs
    if (elapsedMs < Math.max(2 * rttMs, SHORTEST_MEASURE_MS)) return false
    const rate = this.#measuredBytes / elapsedMs
    const before = this.#rateBefore
    this.#measuredSinceMs = nowMs
    this.#measuredBytes = 0
    // When the rate has halved, the path has changed: start over.
    if (rate * 2 < before) this.#rateBefore = 0
    if (rate < before * WORTHWHILE) return false
    this.#rateBefore = rate
    return true
  }

  /** Returns the growth of the window to the budget when the stream has ended. */
  release(budget: GrowthBudget): void {
    budget.give(this.#grownBytes)
    this.#grownBytes = 0
  }
}
