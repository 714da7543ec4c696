// A function in this process as a backend: the `fetch` of a hono app, or any function of this shape. It needs no listening
// socket, because the tunnel passes the request to the function. This interface has no upgrades: they get a 501.

import { type Clock, systemClock } from '@vera-stack/shared/clock.ts'
import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { Backend, Report } from './backend.ts'
import { type FetchHandler, HandlerForward } from './handler-forward.ts'

export interface HandlerBackendOptions {
  /** Called when the function threw or did not return a Response. The client gets a 500. */
  readonly onError?: (error: unknown, opening: Opening) => void
  readonly clock?: Clock
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
      this.#options.clock ?? systemClock,
      report,
    )
  }

  close(): void {
    // A function has no connections.
  }
}
