// The start of a request body that waits for its connection. The bytes are copied, because a chunk is a view of the
// message that contained it. Otherwise each chunk of a client that sends single bytes would keep a whole message alive.

const SMALLEST_BYTES = 1024
const EMPTY = Buffer.alloc(0)

export class HeldBody {
  #buffer: Buffer = EMPTY
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  add(chunk: Buffer): void {
    const needed = this.#bytes + chunk.length
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(SMALLEST_BYTES, needed, this.#buffer.length * 2))
      this.#buffer.copy(grown, 0, 0, this.#bytes)
      this.#buffer = grown
    }
    chunk.copy(this.#buffer, this.#bytes)
    this.#bytes = needed
  }

  /** Removes and returns all bytes. The caller owns them from now on. */
  take(): Buffer {
    // A request without a body needs no new view.
    if (this.#bytes === 0) return EMPTY
    const body = this.#buffer.subarray(0, this.#bytes)
    this.#buffer = EMPTY
    this.#bytes = 0
    return body
  }
}
