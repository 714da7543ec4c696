// What Node goes on to deliver of a body that nobody reads for now. Node bounds it by its bytes, and keeps a buffer for
// each chunk of HTTP/1 or frame of HTTP/2: 64 KiB in chunks of one byte cost 20 MiB. Here chunks that come during a
// pause are joined and counted before Node gets them. It replaces `push`, by which Node's parsers hand over a body.

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

  /** `onWaiting`: more has come during a pause. */
  constructor(stream: Readable, onWaiting: () => void) {
    this.#stream = stream
    this.#push = stream.push
    this.#onWaiting = onWaiting
    stream.push = (chunk: Buffer | null, encoding?: BufferEncoding) => this.#arrived(chunk, encoding)
  }

  /** What has come during a pause and was not read, bytes; 0 when there is no pause. */
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

  /** False: Node should read no more for now. */
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
