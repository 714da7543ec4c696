// The acceptor of an echo stream: sends all received bytes back. This tests the whole data path of a session.

import type { Fields, Stream, StreamEvents } from './stream.ts'

export class EchoStream implements StreamEvents {
  readonly #stream: Stream
  #owedBytes = 0

  constructor(stream: Stream) {
    this.#stream = stream
    stream.respond({ status: 200, statusText: '', fields: [] })
  }

  onHead(): void {
    throw new Error('the acceptor of a stream gets no head')
  }

  onData(chunk: Buffer): void {
    this.#owedBytes += chunk.length
    // Credit is returned after the echo was sent, so that an echo holds at most one window.
    if (this.#stream.write(chunk)) this.onWritable()
  }

  onEnd(trailers: Fields | undefined): void {
    this.#stream.end(trailers)
  }

  onWritable(): void {
    this.#stream.consume(this.#owedBytes)
    this.#owedBytes = 0
  }

  onAbort(): void {
    this.#owedBytes = 0
  }
}
