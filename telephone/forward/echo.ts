// A stream that gives back what it gets: the whole data path of a tunnel, without a backend.

import type { Fields, Stream, StreamEvents } from '@vera-stack/shared/protocol/stream.ts'
import { neverOpener } from './backend.ts'

export class Echo implements StreamEvents {
  readonly #stream: Stream
  #owedBytes = 0

  constructor(stream: Stream) {
    this.#stream = stream
    stream.respond({ status: 200, statusText: 'OK', fields: [] })
  }

  readonly onHead = neverOpener

  onData(chunk: Buffer): void {
    // Credit only for what has left again, so that an echo holds no more than a window.
    if (this.#stream.write(chunk)) this.#stream.consume(chunk.length)
    else this.#owedBytes += chunk.length
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
