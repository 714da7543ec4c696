// Chunks of a request that are kept for a while. Small chunks are joined, because a client may send one byte at a time, and a
// buffer per chunk would use far more memory than is counted.

import {
  SMALL_PIECE_BYTES,
  SmallPieces,
  withoutWaste,
} from '@vera-stack/shared/protocol/wire/small-pieces.ts'

/** The number of chunks that are kept separately, even when they are small. */
const SINGLE_CHUNKS = 16

export class KeptChunks {
  readonly #chunks: Buffer[] = []
  #pieces: SmallPieces | undefined
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  add(chunk: Buffer): void {
    this.#bytes += chunk.length
    if (chunk.length >= SMALL_PIECE_BYTES || this.#chunks.length < SINGLE_CHUNKS) {
      this.#endPieces()
      this.#chunks.push(withoutWaste(chunk))
      return
    }
    this.#pieces ??= new SmallPieces()
    if (this.#pieces.add(chunk)) this.#endPieces()
  }

  /** Returns all chunks, in order. */
  all(): readonly Buffer[] {
    return this.#pieces === undefined ? this.#chunks : [...this.#chunks, this.#pieces.joined()]
  }

  #endPieces(): void {
    if (this.#pieces !== undefined) this.#chunks.push(this.#pieces.joined())
    this.#pieces = undefined
  }
}
