// The bytes of a body that Node still delivers while the body is paused. Node limits them by their number, but keeps a buffer
// for each HTTP/1 chunk or HTTP/2 frame: 64 KiB in chunks of one byte cost 20 MiB. This class joins and counts chunks that
// arrive during a pause. It replaces `push` of the stream, which Node's parsers call with each chunk.

import type { Readable } from 'node:stream'
import { SmallPieces } from '@vera-stack/shared/protocol/wire/small-pieces.ts'

/** Larger chunks are not worth a copy. */
const JOINED_BYTES = 16_384

export class PausedBody {
  readonly #stream: Readable
  readonly #push: Readable['push']
  readonly #onWaiting: () => void
  #pieces: SmallPieces | undefined
  #paused = false

  /** `onWaiting`: called when more bytes have arrived during a pause. */
  constructor(stream: Readable, onWaiting: () => void) {
    this.#stream = stream
    this.#push = stream.push
    this.#onWaiting = onWaiting
    stream.push = (chunk: Buffer | null, encoding?: BufferEncoding) => this.#arrived(chunk, encoding)
  }

  /** Bytes that have arrived during the pause and were not read; 0 without a pause. */
  get waitingBytes(): number {
    return this.#paused ? this.#stream.readableLength + (this.#pieces?.bytes ?? 0) : 0
  }

  pause(): void {
    this.#paused = true
    this.#stream.pause()
  }

  resume(): void {
    this.#paused = false
    this.#pushPieces()
    this.#stream.resume()
  }

  /** Returns false when Node should stop reading. */
  #arrived(chunk: Buffer | null, encoding: BufferEncoding | undefined): boolean {
    if (!this.#paused) return this.#push.call(this.#stream, chunk, encoding)
    if (chunk === null || chunk.length >= JOINED_BYTES) {
      this.#pushPieces()
      const room = this.#push.call(this.#stream, chunk, encoding)
      this.#onWaiting()
      return room
    }
    this.#pieces ??= new SmallPieces()
    if (this.#pieces.add(chunk)) this.#pushPieces()
    this.#onWaiting()
    return this.waitingBytes < this.#stream.readableHighWaterMark
  }

  #pushPieces(): void {
    const pieces = this.#pieces
    this.#pieces = undefined
    if (pieces !== undefined && !this.#stream.destroyed) this.#push.call(this.#stream, pieces.joined())
  }
}
