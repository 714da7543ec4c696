// The rate of one request body, averaged over the last 30 s in which Plugboard read it. Time in which the backend accepts no
// bytes does not count, because the client is not slow then. Only constructed when `minBodyRate` is set.

/** The length of the window, in ms of reading. */
const WINDOW_MS = 30_000
const SLICES = 30
const SLICE_MS = WINDOW_MS / SLICES

export class BodyRate {
  readonly #minBytes: number
  /** Bytes in each slice of the window, the current slice included. A ring: a new slice replaces the oldest one. */
  readonly #slices = new Float64Array(SLICES)
  #slice = 0
  /** Elapsed time of the current slice. */
  #sliceMs = 0
  /** Sum of all slices. */
  #bytes = 0
  /** True once a whole window has been read. */
  #full = false
  #lookedAtMs: number

  constructor(bytesPerSecond: number, nowMs: number) {
    this.#minBytes = (bytesPerSecond * WINDOW_MS) / 1000
    this.#lookedAtMs = nowMs
  }

  moved(bytes: number): void {
    this.#slices[this.#slice] = (this.#slices[this.#slice] as number) + bytes
    this.#bytes += bytes
  }

  /** Returns true when the body is too slow. Call it often. `reading`: true when Plugboard read the body since the last call. */
  look(nowMs: number, reading: boolean): boolean {
    const passedMs = nowMs - this.#lookedAtMs
    this.#lookedAtMs = nowMs
    // After a longer interval, this process was suspended, so the client is not the cause.
    if (!reading || passedMs > SLICE_MS) return false
    this.#sliceMs += passedMs
    if (this.#sliceMs < SLICE_MS) return false
    this.#sliceMs -= SLICE_MS
    return this.#nextSlice()
  }

  /** True when the window that ends here holds too few bytes. */
  #nextSlice(): boolean {
    this.#slice += 1
    if (this.#slice === SLICES) {
      this.#slice = 0
      this.#full = true
    }
    const slow = this.#full && this.#bytes < this.#minBytes
    this.#bytes -= this.#slices[this.#slice] as number
    this.#slices[this.#slice] = 0
    return slow
  }
}
