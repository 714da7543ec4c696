// One request to an HTTP server and its answer, as those see it who do not care which version of HTTP is spoken:
// forward/ and the health check on this side, http1/ and http2/ on the other. Bodies are streamed both ways with
// backpressure; strings hold bytes as latin1.

import type { AnswerHead, Fields } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { BackendFailure } from './backend-failure.ts'

/** What is sent to a backend. No CR, LF or NUL in it (the tunnel's decoder sees to it). */
export interface BackendRequest {
  readonly method: string
  /** Origin form, or `*`. */
  readonly target: string
  readonly fields: Fields
  /** Names the client that it is for; absent or empty: not known. */
  readonly client?: string | undefined
  /** Wait for a 101: after it both directions are plain bytes, and there is no request body before it. */
  readonly upgrade: boolean
  /** The request half is complete with the head. */
  readonly ended: boolean
  /** All of the body is there already and no trailers follow it: it is written, and ended, before anything else. */
  readonly whole?: boolean
  /** Id of the client connection of the request, when the request needs a certain connection to the backend. */
  readonly affinity?: string | undefined
}

/** A request that cannot be sent without meaning two things. The tunnel's fault. */
export class RequestError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RequestError'
  }
}

/** What to send as Host: as the client sent it, always the same, or the client's unless it sent none. */
export type HostRule =
  | { readonly kind: 'preserve'; readonly fallback: string }
  | { readonly kind: 'fixed'; readonly host: string }

export interface BackendExchange {
  /** Begins. May fail, or even finish, before it returns. */
  run(): void
  /** Request body. Takes the chunk always; false asks to wait for `onRoom`. */
  write(chunk: Buffer): boolean
  /** The request is complete. */
  end(trailers: Fields | undefined): void
  pause(): void
  resume(): void
  /** The answer is no longer wanted: the backend hears of it at once. No event follows. */
  abort(): void
}

/** Named apart from StreamEvents, so that one object can stand between the two. */
export interface ExchangeEvents {
  /** 1xx heads, then the final one; or a 101, after which the body is raw bytes. */
  onAnswerHead(head: AnswerHead): void
  /** The chunk is valid during the call; after a `pause` in it until `resume`, or for good when that never comes. */
  onAnswerBody(chunk: Buffer): void
  /** The answer is complete; after a 101: the backend's half is. */
  onAnswerEnd(trailers: Fields | undefined): void
  /** During a pause: so many bytes of the answer have come and wait, in all; 0 after it. HTTP/1 reads none then. */
  onAnswerWaiting(bytes: number): void
  /** After a `write` that returned false: everything has been handed to the kernel or nearly so. */
  onRoom(): void
  /** The end, without an answer or in the middle of one. Nothing follows. */
  onFailure(error: TunnelError): void
}

/** The exchanges of one backend, over connections that it keeps. */
export interface BackendClient {
  /** Throws RequestError when the request cannot be sent. Call `run` next. */
  exchange(request: BackendRequest, events: ExchangeEvents): BackendExchange
  /** Connects as for a request, then closes. Reports the failure, or undefined. Returns a function that cancels it. */
  probe(done: (failure: BackendFailure | undefined) => void): () => void
  /** Lets go of idle connections; exchanges under way go on. */
  close(): void
}
