// How long Plugboard reads and discards bytes that a client sends after the response to its request. A socket that is
// closed while bytes of the client are unread is reset, and a reset can destroy a response that the client has not
// read yet (RFC 9112 section 9.6). Time is the only bound: at most 5 s without a byte, and at most 30 s in all, so
// that a client that sends a byte now and then cannot hold its connection.

import type { Deadlined, Deadlines } from '../deadlines.ts'

export const DISCARD_SILENCE_MS = 5_000
export const DISCARD_TOTAL_MS = 30_000

export class DiscardDeadline implements Deadlined {
  deadlineSlot: number | undefined
  readonly #deadlines: Deadlines
  readonly #onOverdue: () => void
  readonly #startedAtMs: number
  #movedAtMs: number

  /** Starts the clock. Calls `onOverdue` at most once, and never after `stop`. */
  constructor(deadlines: Deadlines, onOverdue: () => void) {
    this.#deadlines = deadlines
    this.#onOverdue = onOverdue
    deadlines.add(this)
    this.#startedAtMs = deadlines.nowMs
    this.#movedAtMs = deadlines.nowMs
  }

  /** Call when bytes have arrived. */
  moved(): void {
    this.#movedAtMs = this.#deadlines.nowMs
  }

  stop(): void {
    this.#deadlines.delete(this)
  }

  checkDeadline(nowMs: number): void {
    if (nowMs - this.#movedAtMs < DISCARD_SILENCE_MS && nowMs - this.#startedAtMs < DISCARD_TOTAL_MS) return
    this.stop()
    this.#onOverdue()
  }
}
