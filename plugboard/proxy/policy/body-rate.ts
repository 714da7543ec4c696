// The speed of one request body, averaged over the last 30 s in which it was read: a client whose body waits because the
// backend does not take it is not slow. Exists only where `minBodyRate` is set.

/** Of reading, ms. */
const WINDOW_MS = 30_000
const SLICES = 30
const SLICE_MS = WINDOW_MS / SLICES

export class BodyRate {
  readonly #minBytes: number
  /** Bytes of the last slices of reading, the one under way included; the oldest is written over. */
  readonly #slices = new Float64Array(SLICES)
  #slice = 0
  /** Of the slice under way. */
  #sliceMs = 0
  /** Of all of the slices. */
  #bytes = 0
  /** A whole window has been read. */
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

  /** To be called often. `reading`: the client's bytes were taken since the last call. True when the body is too slow. */
  look(nowMs: number, reading: boolean): boolean {
    const passedMs = nowMs - this.#lookedAtMs
    this.#lookedAtMs = nowMs
    // After a longer time this process did not run, and the client is not the cause.
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
