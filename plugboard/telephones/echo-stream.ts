// A stream that gives back what it gets: how a telephone tests the whole data path of its tunnel. The only kind
// of stream that a telephone may open here.

import type { Fields, Stream, StreamEvents } from '@vera-stack/shared/protocol/stream.ts'

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
    // Credit goes back once the echo has left, so that an echo holds no more than a window.
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

/** For a stream that was refused: nothing comes of it any more. */
export const REFUSED: StreamEvents = {
  onHead: () => undefined,
  onData: () => undefined,
  onEnd: () => undefined,
  onWritable: () => undefined,
  onAbort: () => undefined,
}
