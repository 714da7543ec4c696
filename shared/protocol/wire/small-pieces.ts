// Joins small pieces of a body that has to wait. A waiting piece of one byte occupies hundreds of bytes, and it keeps
// the whole buffer alive in which it arrived. Joined pieces occupy about as much memory as their bytes.

/** Shorter pieces than this are joined, bytes. */
export const SMALL_PIECE_BYTES = 4096
/** Joined pieces are passed on at this size, bytes. */
const FULL_BYTES = 16_384
const FIRST_BYTES = 1024
/** A piece that uses a smaller share of its buffer than this is copied when it has to wait. */
const SMALLEST_PART = 1 / 4

export class SmallPieces {
  #buffer = Buffer.allocUnsafeSlow(FIRST_BYTES)
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  /** Copies the piece. Returns true when the caller should take the joined bytes and start a new SmallPieces. */
  add(piece: Buffer): boolean {
    const bytes = this.#bytes + piece.length
    if (bytes > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#buffer.length, bytes))
      this.#buffer.copy(larger, 0, 0, this.#bytes)
      this.#buffer = larger
    }
    piece.copy(this.#buffer, this.#bytes)
    this.#bytes = bytes
    return bytes >= FULL_BYTES
  }

  /** Returns the pieces joined so far. Pieces that are added later do not change them. */
  joined(): Buffer {
    return this.#buffer.subarray(0, this.#bytes)
  }
}

/** Returns the piece, or a copy when the piece would keep a much larger buffer alive. */
export function withoutWaste(piece: Buffer): Buffer {
  if (piece.length >= piece.buffer.byteLength * SMALLEST_PART) return piece
  // `allocUnsafeSlow`, because a copy in Node's buffer pool would keep the pool alive.
  const copy = Buffer.allocUnsafeSlow(piece.length)
  piece.copy(copy)
  return copy
}
