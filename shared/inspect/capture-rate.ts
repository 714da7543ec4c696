// Bounds the work of the inspector on a busy service: masking 64 KiB of JSON takes some milliseconds of the event loop. When a
// limit of a second is reached, further requests are not captured, and further bodies are left out. On such a busy service, the ring
// would evict them soon anyway.

import type { Clock } from '../clock.ts'

/** Requests that one replica captures in a second. */
export const MAX_CAPTURES_PER_SECOND = 200
/** Bytes of bodies that one replica masks in a second. */
export const MAX_MASKED_BYTES_PER_SECOND = 2 * 1024 * 1024
const SECOND_MS = 1000

export class CaptureRate {
  readonly #clock: Clock
  #secondStartMs = Number.NEGATIVE_INFINITY
  #captures = 0
  #maskedBytes = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Counts a capture. Returns false when the limit of this second is reached. */
  admitsCapture(): boolean {
    this.#renew()
    if (this.#captures >= MAX_CAPTURES_PER_SECOND) return false
    this.#captures += 1
    return true
  }

  /** Counts a body. Returns false when the limit of this second is reached: the body is then left out. */
  admitsBody(bytes: number): boolean {
    this.#renew()
    if (this.#maskedBytes + bytes > MAX_MASKED_BYTES_PER_SECOND) return false
    this.#maskedBytes += bytes
    return true
  }

  #renew(): void {
    const nowMs = this.#clock.now()
    if (nowMs - this.#secondStartMs < SECOND_MS) return
    this.#secondStartMs = nowMs
    this.#captures = 0
    this.#maskedBytes = 0
  }
}
