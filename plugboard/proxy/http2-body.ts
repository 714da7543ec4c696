// The body of a request of HTTP/2, as exchanges read one. Node says `end` also of a body that was cut off, but the
// stream is closed by then: only a body whose last frame has come ends here (row F15).

import type { ServerHttp2Stream } from 'node:http2'
import type { BodySource } from './request-body.ts'

export class Http2Body implements BodySource {
  rawTrailers: readonly string[] = []
  readonly #stream: ServerHttp2Stream

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream
    stream.on('trailers', (_headers: unknown, _flags: unknown, rawHeaders: readonly string[]) => {
      this.rawTrailers = rawHeaders
    })
  }

  get complete(): boolean {
    return this.#stream.readableEnded && !this.#stream.closed
  }

  on(event: 'data', listener: (chunk: Buffer) => void): void
  on(event: 'end', listener: () => void): void
  on(event: 'error', listener: (error: Error) => void): void
  on(event: 'data' | 'end' | 'error', listener: (value: never) => void): void {
    const told = listener as (value?: unknown) => void
    if (event !== 'end') {
      this.#stream.on(event as string, told)
      return
    }
    this.#stream.on('end', () => {
      if (!this.#stream.closed) told()
    })
  }

  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }
}
