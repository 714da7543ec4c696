// The request body as a ReadableStream. It reads from the tunnel at the speed of its reader: it returns the credit for a
// chunk when the reader asks for the chunk, so at most one window of data waits here.

import type { Stream } from '@vera-stack/shared/protocol/streams/stream.ts'

export class HandlerRequestBody {
  readonly readable: ReadableStream<Uint8Array>
  readonly #stream: Stream
  readonly #onFirstRead: () => void
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #waiting: Buffer[] = []
  #wanted: (() => void) | undefined
  #read = false
  #ended = false
  #closed = false

  /** `onFirstRead` is called at the first read of the body. A client that waits for a 100 gets it then. */
  constructor(stream: Stream, onFirstRead: () => void) {
    this.#stream = stream
    this.#onFirstRead = onFirstRead
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: controller => {
          this.#controller = controller
        },
        pull: () => this.#pull(),
        cancel: () => this.discard(),
      },
      { highWaterMark: 0 },
    )
  }

  push(chunk: Buffer): void {
    if (this.#closed) this.#stream.consume(chunk.length)
    else {
      this.#waiting.push(chunk)
      this.#serve()
    }
  }

  end(): void {
    this.#ended = true
    this.#serve()
  }

  /** Ends an incomplete body: the reader gets the error, never the end of the body. */
  fail(error: unknown): void {
    if (this.#closed) return
    this.#closed = true
    this.#controller?.error(error)
    this.#release()
  }

  /** Drops all further data, because the body is no longer read. */
  discard(): void {
    if (this.#closed) return
    this.#closed = true
    this.#release()
  }

  #pull(): Promise<void> | undefined {
    if (!this.#read) {
      this.#read = true
      this.#onFirstRead()
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wanted = resolve
    this.#serve()
    return promise
  }

  #serve(): void {
    const chunk = this.#waiting[0]
    if (this.#closed || this.#wanted === undefined) return
    if (chunk !== undefined) {
      this.#waiting.shift()
      this.#controller?.enqueue(chunk)
      this.#stream.consume(chunk.length)
    } else if (this.#ended) {
      this.#closed = true
      this.#controller?.close()
    } else {
      return
    }
    const resolve = this.#wanted
    this.#wanted = undefined
    resolve()
  }

  #release(): void {
    for (const chunk of this.#waiting.splice(0)) this.#stream.consume(chunk.length)
    this.#wanted?.()
    this.#wanted = undefined
  }
}
