// A function in this process as a backend: a hono app's `fetch`, or anything of that shape. Nothing listens; the
// request goes from the tunnel straight into the function. Upgrades have no place in this interface: 501.

import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { Backend, Report } from './backend.ts'
import { type FetchHandler, HandlerForward } from './handler-forward.ts'

export interface HandlerBackendOptions {
  /** The function threw or gave something that is no Response; the client gets a 500. */
  readonly onError?: (error: unknown, opening: Opening) => void
}

export class HandlerBackend implements Backend {
  readonly description = 'a function in this process'
  readonly #handler: FetchHandler
  readonly #options: HandlerBackendOptions

  constructor(handler: FetchHandler, options: HandlerBackendOptions = {}) {
    this.#handler = handler
    this.#options = options
  }

  open(stream: Stream, opening: Opening, report: Report | undefined): StreamEvents {
    return new HandlerForward(
      stream,
      opening,
      this.#handler,
      error => this.#options.onError?.(error, opening),
      report,
    )
  }

  close(): void {
    // A function holds nothing open.
  }
}
