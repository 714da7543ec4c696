// The readable half of a stream of Node's http2, as what it is on the wire. Node's own `end` cannot be trusted: it
// also comes when the backend resets the stream with NO_ERROR, and when the connection ends, in the middle of a body.
// What tells them apart is that END_STREAM ends the half while the stream is not yet closed.
//
// Once complete, the rest is taken off the stream even while nobody reads, one window at most: Node drops it when
// the connection closes, and a backend that restarts closes right behind its last answers.

import type { ClientHttp2Stream } from 'node:http2'

export interface AnswerBodyEvents {
  onBody(chunk: Buffer): void
  /** During a pause: so many bytes have come and wait, in all; 0 after it. */
  onWaiting(bytes: number): void
  /** END_STREAM has come and every byte before it was handed on. */
  onEnd(): void
}

export class AnswerBody {
  readonly #stream: ClientHttp2Stream
  readonly #events: AnswerBodyEvents
  /** Taken off the stream while paused. */
  readonly #rest: Buffer[] = []
  #receivedBytes = 0
  #takenBytes = 0
  #handedBytes = 0
  #complete = false
  #paused = false
  #ended = false

  constructor(stream: ClientHttp2Stream, events: AnswerBodyEvents) {
    this.#stream = stream
    this.#events = events
    const push = stream.push
    // `push` is what Node calls with what it receives, and with null at the end of the half, whatever ended it.
    stream.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
      if (chunk === null) this.#onEndOfHalf()
      else {
        this.#receivedBytes += chunk.length
        if (this.#paused) events.onWaiting(this.#receivedBytes - this.#handedBytes)
      }
      return push.call(stream, chunk, encoding)
    }
  }

  /** END_STREAM has come. */
  get complete(): boolean {
    return this.#complete
  }

  /** And every byte before it is here, handed on or not yet: what becomes of the stream is no matter. */
  get whole(): boolean {
    return this.#complete && this.#takenBytes === this.#receivedBytes
  }

  /** Begins to read: the head has been handed on. An answer that is only a head ends in the same call. */
  read(): void {
    this.#stream.on('data', (chunk: Buffer) => this.#onData(chunk))
    this.#stream.on('end', () => this.settle())
    this.settle()
  }

  /** Looks whether that was all; to be called when the stream has closed, too. */
  settle(): void {
    if (this.#ended || !this.whole || this.#rest.length > 0) return
    this.#ended = true
    this.#events.onEnd()
  }

  pause(): void {
    this.#paused = true
    if (!this.#complete) this.#stream.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#events.onWaiting(0)
    while (this.#rest.length > 0 && !this.#paused) this.#handOn(this.#rest.shift() as Buffer)
    if (this.#paused) return
    this.#stream.resume()
    this.settle()
  }

  #onData(chunk: Buffer): void {
    this.#takenBytes += chunk.length
    if (this.#paused) this.#rest.push(chunk)
    else this.#handOn(chunk)
  }

  #handOn(chunk: Buffer): void {
    this.#handedBytes += chunk.length
    this.#events.onBody(chunk)
  }

  #onEndOfHalf(): void {
    if (this.#complete || this.#stream.closed) return
    this.#complete = true
    if (this.#paused) process.nextTick(() => this.#stream.resume())
  }
}
