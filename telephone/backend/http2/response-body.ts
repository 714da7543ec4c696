// The readable half of a stream of Node's http2. Node also emits `end` for an incomplete body, when the backend resets
// the stream with NO_ERROR or the connection ends. This file recognises a complete body: END_STREAM ends the half while
// the stream is not closed yet.
//
// After END_STREAM, this file reads the rest of the body from the stream even during a pause, one window at most. Node
// would drop that rest when the connection closes, and a restarting backend closes directly after its last responses.

import type { ClientHttp2Stream } from 'node:http2'

export interface ResponseBodyEvents {
  onBody(chunk: Buffer): void
  /** During a pause: the total bytes that wait; 0 after it. */
  onWaiting(bytes: number): void
  /** END_STREAM has arrived, and every byte before it was passed on. */
  onEnd(): void
}

export class ResponseBody {
  readonly #stream: ClientHttp2Stream
  readonly #events: ResponseBodyEvents
  /** Data that was read from the stream during a pause. */
  readonly #rest: Buffer[] = []
  #receivedBytes = 0
  #takenBytes = 0
  #handedBytes = 0
  #complete = false
  #paused = false
  #ended = false

  constructor(stream: ClientHttp2Stream, events: ResponseBodyEvents) {
    this.#stream = stream
    this.#events = events
    const push = stream.push
    // Node calls `push` with received data, and with null at any end of the half.
    stream.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
      if (chunk === null) this.#onEndOfHalf()
      else {
        this.#receivedBytes += chunk.length
        if (this.#paused) events.onWaiting(this.#receivedBytes - this.#handedBytes)
      }
      return push.call(stream, chunk, encoding)
    }
  }

  /** True when END_STREAM has arrived. */
  get complete(): boolean {
    return this.#complete
  }

  /** True when the whole body was read from the stream. Then the end of the stream has no effect on the response. */
  get whole(): boolean {
    return this.#complete && this.#takenBytes === this.#receivedBytes
  }

  /** Starts to read after the head was passed on. A response without a body ends in this call. */
  read(): void {
    this.#stream.on('data', (chunk: Buffer) => this.#onData(chunk))
    this.#stream.on('end', () => this.settle())
    this.settle()
  }

  /** Reports the end when the whole body was passed on. Call it also when the stream has closed. */
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
