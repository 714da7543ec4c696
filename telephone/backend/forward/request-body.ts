// The request body as a ReadableStream that reads from the tunnel only as fast as it is read itself: credit goes
// back for a chunk when the reader has asked for it, so at most one window waits here.

import type { Stream } from '@vera-stack/shared/protocol/streams/stream.ts'

export class RequestBody {
  readonly readable: ReadableStream<Uint8Array>
  readonly #stream: Stream
  readonly #onFirstRead: () => void
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #waiting: Buffer[] = []
  #wanted: (() => void) | undefined
  #read = false
  #ended = false
  #closed = false

  /** `onFirstRead`: somebody wants the body; that is when a client that waits for a 100 gets it. */
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

  /** Cut short: a reader gets the error, never an end. */
  fail(error: unknown): void {
    if (this.#closed) return
    this.#closed = true
    this.#controller?.error(error)
    this.#release()
  }

  /** Nobody reads it any more: what still comes is dropped. */
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
