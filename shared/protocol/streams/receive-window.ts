// The receiving side of flow control for one stream: how much the peer may still send, when to give credit
// back, and when the window should grow.
//
// A window of which half is used within two round trips may be what limits the stream, so it doubles (after
// M. Fisk and W. Feng, "Dynamic right-sizing", 2001) - as long as doubling helps: when the last one did not
// raise the rate by a quarter, something else is the limit and more window would only be more queue (the rule
// by which BBR leaves its start-up). A reader that stalls gives nothing back, so its window never grows.

import { CREDIT_MAX_BYTES } from '../wire/frame.ts'

/** A doubling must raise the rate by this factor, or it was the last. */
const WORTHWHILE = 1.25
/** Rates over less time than this are noise, ms. */
const SHORTEST_MEASURE_MS = 10

/** Bytes that windows may grow by, shared by the streams of a session (or of a process). */
export class GrowthBudget {
  #freeBytes: number

  constructor(bytes: number) {
    this.#freeBytes = bytes
  }

  /** Takes up to `bytes`; returns what was there. */
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
  /** What the peer may still send. */
  #creditBytes: number
  /** Consumed by the owner, not yet given back. */
  #consumedBytes = 0
  /** Credit was given back at least once. */
  #shown = false
  #lastUpdateMs = 0
  // The rate since the window grew last, and the one before that, bytes per ms.
  #measuredSinceMs = 0
  #measuredBytes = 0
  #rateBefore = 0

  /** `firstBytes`: give back once that much is consumed for the first time, if it is less than half the window. */
  constructor(initialBytes: number, firstBytes = initialBytes) {
    this.#firstBytes = firstBytes
    this.#sizeBytes = initialBytes
    this.#creditBytes = initialBytes
  }

  /** Received and not consumed by the owner. */
  get unreadBytes(): number {
    return this.#sizeBytes - this.#creditBytes - this.#consumedBytes
  }

  /** Data has arrived. False: the peer sent more than it may. */
  receive(bytes: number): boolean {
    this.#creditBytes -= bytes
    return this.#creditBytes >= 0
  }

  /**
   * The owner has consumed data. True: half the window or more can be given back, or it is the first time; ask `update`.
   * Throws RangeError for more than has arrived: it would make the window larger than anyone decided.
   */
  consume(bytes: number): boolean {
    const { unreadBytes } = this
    if (bytes > unreadBytes) throw new RangeError(`consumed ${bytes} bytes of ${unreadBytes} unread`)
    this.#consumedBytes += bytes
    const first = !this.#shown && this.#consumedBytes >= this.#firstBytes
    return first || this.#isHalf
  }

  /** The credit to send now, bytes: what was consumed, and what the window grows by. */
  update(nowMs: number, rttMs: number, maxBytes: number, budget: GrowthBudget): number {
    let grant = this.#consumedBytes
    this.#shown = true
    // The first bytes have waited for the stream to be accepted: their rate says nothing of the path.
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

  /** Once a measure is long enough: did the last doubling raise the rate? The first one is always worth a try. */
  #growthHelps(nowMs: number, rttMs: number): boolean {
    const elapsedMs = nowMs - this.#measuredSinceMs
    if (elapsedMs < Math.max(2 * rttMs, SHORTEST_MEASURE_MS)) return false
    const rate = this.#measuredBytes / elapsedMs
    const before = this.#rateBefore
    this.#measuredSinceMs = nowMs
    this.#measuredBytes = 0
    // A rate that has halved says that the path has changed: start over.
    if (rate * 2 < before) this.#rateBefore = 0
    if (rate < before * WORTHWHILE) return false
    this.#rateBefore = rate
    return true
  }

  /** The stream is over: what the window had grown by goes back to the budget. */
  release(budget: GrowthBudget): void {
    budget.give(this.#grownBytes)
    this.#grownBytes = 0
  }
}
