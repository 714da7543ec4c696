// The receiving side of flow control for one stream: how much the peer may still send, when to give credit
// back, and when the window should grow.
//
// A window that is emptied within two round trips is what limits the stream, so it doubles (auto-tuning as
// in D. Fisk and W. Feng, "Dynamic right-sizing", 2001; HTTP/2 servers do the same). A reader that stalls gives
// nothing back, so its window never grows.

import { CREDIT_MAX_BYTES } from './frame.ts'

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
  #sizeBytes: number
  #grownBytes = 0
  /** What the peer may still send. */
  #creditBytes: number
  /** Consumed by the owner, not yet given back. */
  #consumedBytes = 0
  #lastUpdateMs = 0

  constructor(initialBytes: number) {
    this.#sizeBytes = initialBytes
    this.#creditBytes = initialBytes
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Data has arrived. False: the peer sent more than it may. */
  receive(bytes: number): boolean {
    this.#creditBytes -= bytes
    return this.#creditBytes >= 0
  }

  /** The owner has consumed data. True: half the window or more can be given back, ask `update`. */
  consume(bytes: number): boolean {
    this.#consumedBytes += bytes
    return this.#consumedBytes * 2 >= this.#sizeBytes
  }

  /**
   * The credit to send now, bytes. Grows the window when it was emptied within two round trips of the last
   * update (half a window each: four updates' worth of time).
   */
  update(nowMs: number, rttMs: number, maxBytes: number, budget: GrowthBudget): number {
    let grant = this.#consumedBytes
    const limited = this.#lastUpdateMs > 0 && nowMs - this.#lastUpdateMs < 2 * rttMs
    if (limited && this.#sizeBytes < maxBytes) {
      const growth = budget.take(Math.min(this.#sizeBytes, maxBytes - this.#sizeBytes))
      this.#sizeBytes += growth
      this.#grownBytes += growth
      grant += growth
    }
    this.#lastUpdateMs = nowMs
    this.#consumedBytes = 0
    this.#creditBytes = Math.min(this.#creditBytes + grant, CREDIT_MAX_BYTES)
    return grant
  }

  /** The stream is over: what the window had grown by goes back to the budget. */
  release(budget: GrowthBudget): void {
    budget.give(this.#grownBytes)
    this.#grownBytes = 0
  }
}
