// The interface of one request to an HTTP server and its response, independent of the version of HTTP. forward/ and the
// health check call it; http1/ and http2/ implement it. Bodies are streamed in both directions with backpressure.
// Strings hold bytes as latin1.

import type { Fields, StreamResponseHead } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { BackendFailure } from './backend-failure.ts'

/** A request to a backend. Its strings contain no CR, LF or NUL, because the decoder of the tunnel rejects them. */
export interface BackendRequest {
  readonly method: string
  /** Origin form, or `*`. */
  readonly target: string
  readonly fields: Fields
  /** The client of the request. Absent or empty: unknown. */
  readonly client?: string | undefined
  /** True for an upgrade: after a 101 both directions are plain bytes. The request has no body before the 101. */
  readonly upgrade: boolean
  /** True when the request half is complete with the head. */
  readonly ended: boolean
  /** True when the whole body has arrived and no trailers follow. The caller writes and ends it directly after `run`. */
  readonly whole?: boolean
  /** Id of the client connection of the request, when the request needs a certain connection to the backend. */
  readonly affinity?: string | undefined
}

/** Thrown for a request that two recipients could read differently, so it cannot be sent. The fault is in the request. */
export class RequestError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RequestError'
  }
}

/** The Host field to send: the client's field, a fixed value, or the client's field with a default for a missing one. */
export type HostRule =
  | { readonly kind: 'preserve'; readonly fallback: string }
  | { readonly kind: 'fixed'; readonly host: string }

export interface BackendExchange {
  /** Starts the exchange. The exchange may fail or finish before this call returns. */
  run(): void
  /** Writes request body. Accepts the chunk in every case. Returns false when the caller should wait for `onRoom`. */
  write(chunk: Buffer): boolean
  /** Completes the request. */
  end(trailers: Fields | undefined): void
  pause(): void
  resume(): void
  /** Cancels the exchange at the backend at once. No event follows. */
  abort(): void
}

/** The names differ from those of StreamEvents, so that one object can implement both interfaces. */
export interface ExchangeEvents {
  /** 1xx heads, then the final head; or a 101, after which the body is raw bytes. */
  onResponseHead(head: StreamResponseHead): void
  /** The chunk is valid during the call. After a `pause` in the call it stays valid until `resume`. */
  onResponseBody(chunk: Buffer): void
  /** The response is complete. After a 101: the backend's half is complete. */
  onResponseEnd(trailers: Fields | undefined): void
  /** During a pause: the total bytes of the response that wait; 0 after it. HTTP/1 reads no bytes during a pause. */
  onResponseWaiting(bytes: number): void
  /** There is room again after a `write` that returned false. */
  onRoom(): void
  /** The exchange failed before or during the response. No event follows. */
  onFailure(error: TunnelError): void
}

/** Makes exchanges with one backend over a pool of connections. */
export interface BackendClient {
  /** Throws RequestError when the request cannot be sent. Call `run` next. */
  exchange(request: BackendRequest, events: ExchangeEvents): BackendExchange
  /** Connects as for a request, then closes. Reports the failure, or undefined. Returns a function that cancels the check. */
  probe(done: (failure: BackendFailure | undefined) => void): () => void
  /** Closes idle connections. Open exchanges continue. */
  close(): void
}
