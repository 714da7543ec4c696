// The body of an HTTP/1 request, in the form that exchanges read.

import type { IncomingMessage } from 'node:http'
import { PausedBody } from '../exchange/paused-body.ts'
import type { BodySource } from '../exchange/request-body.ts'

export class Http1Body implements BodySource {
  readonly #req: IncomingMessage
  /** Set by the first pause. */
  #paused: PausedBody | undefined
  #onWaiting: () => void = () => undefined

  constructor(req: IncomingMessage) {
    this.#req = req
  }

  get complete(): boolean {
    return this.#req.complete
  }

  get rawTrailers(): readonly string[] {
    return this.#req.rawTrailers
  }

  get waitingBytes(): number {
    return this.#paused?.waitingBytes ?? 0
  }

  on(event: 'data', listener: (chunk: Buffer) => void): void
  on(event: 'end' | 'waiting', listener: () => void): void
  on(event: 'error', listener: (error: Error) => void): void
  on(event: 'data' | 'end' | 'error' | 'waiting', listener: (value: never) => void): void {
    if (event === 'waiting') this.#onWaiting = listener as () => void
    else this.#req.on(event as string, listener as (value?: unknown) => void)
  }

  pause(): void {
    this.#paused ??= new PausedBody(this.#req, this.#onWaiting)
    this.#paused.pause()
  }

  resume(): void {
    if (this.#paused === undefined) this.#req.resume()
    else this.#paused.resume()
  }
}
