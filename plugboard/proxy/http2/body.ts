// The body of an HTTP/2 request, in the form that exchanges read. Node emits `end` even for a body that was cut off, but the
// stream is closed by then. This class passes `end` on only when the last frame of the body has arrived (row F15).

import type { ServerHttp2Stream } from 'node:http2'
import { PausedBody } from '../exchange/paused-body.ts'
import type { BodySource } from '../exchange/request-body.ts'

export class Http2Body implements BodySource {
  rawTrailers: readonly string[] = []
  readonly #stream: ServerHttp2Stream
  /** Set by the first pause. */
  #paused: PausedBody | undefined
  #onWaiting: () => void = () => undefined

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream
    stream.on('trailers', (_headers: unknown, _flags: unknown, rawHeaders: readonly string[]) => {
      this.rawTrailers = rawHeaders
    })
  }

  get complete(): boolean {
    return this.#stream.readableEnded && !this.#stream.closed
  }

  get waitingBytes(): number {
    return this.#paused?.waitingBytes ?? 0
  }

  on(event: 'data', listener: (chunk: Buffer) => void): void
  on(event: 'end' | 'waiting', listener: () => void): void
  on(event: 'error', listener: (error: Error) => void): void
  on(event: 'data' | 'end' | 'error' | 'waiting', listener: (value: never) => void): void {
    const handler = listener as (value?: unknown) => void
    switch (event) {
      case 'waiting':
        this.#onWaiting = handler
        break
      case 'end':
        this.#stream.on('end', () => {
          if (!this.#stream.closed) handler()
        })
        break
      default:
        this.#stream.on(event as string, handler)
    }
  }

  pause(): void {
    this.#paused ??= new PausedBody(this.#stream, this.#onWaiting)
    this.#paused.pause()
  }

  resume(): void {
    if (this.#paused === undefined) this.#stream.resume()
    else this.#paused.resume()
  }
}
