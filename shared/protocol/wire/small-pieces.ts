// Joins small pieces of a body that has to wait. A piece of one byte costs hundreds of times its length wherever it
// waits, and it keeps the whole buffer alive in which it arrived. Joined pieces cost what they count.

/** A piece shorter than this is worth joining, bytes. */
export const SMALL_PIECE_BYTES = 4096
/** Joined pieces are handed on at this size, bytes. */
const FULL_BYTES = 16_384
const FIRST_BYTES = 1024
/** A piece that is less than this part of its buffer is copied when it has to wait. */
const SMALLEST_PART = 1 / 4

export class SmallPieces {
  #buffer = Buffer.allocUnsafeSlow(FIRST_BYTES)
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  /** Copies the piece. Returns true when it is time to take what was joined, and to begin anew. */
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

/** Returns the piece, or a copy when it would keep alive much more than it counts. */
export function withoutWaste(piece: Buffer): Buffer {
  if (piece.length >= piece.buffer.byteLength * SMALLEST_PART) return piece
  // Not in Node's pool, which the copy would keep alive in turn.
  const copy = Buffer.allocUnsafeSlow(piece.length)
  piece.copy(copy)
  return copy
}
