// The two interfaces of one stream. The owner calls the methods of `Stream`, and receives the calls of `StreamEvents`.
// Both ends of a tunnel use the same pair. A stream has two halves. Each half ends once with END, or an abort ends both
// halves at once. After `onEnd` and our own end, or after `onAbort`, no further event follows.
//
//   opener                         acceptor
//   session.open(opening, events)  → onStream(stream, opening) returns its events
//   write/end                      → onData… onEnd
//   onHead (1xx)* onHead           ← respond(head)
//   onData… onEnd                  ← write/end

import type { TunnelError } from '../wire/reason.ts'
import type { StreamKind } from '../wire/stream-kind.ts'

/** Alternating names and values, as Node's `rawHeaders`: bytes as latin1, case and order as received. */
export type Fields = string[]

/** The content of an OPEN. Strings hold bytes as latin1, without NUL, CR and LF. */
export interface Opening {
  readonly kind: StreamKind
  /** Number of replicas that the stream has passed. A peer refuses a second hop. */
  readonly hops: number
  readonly service: string
  /** HTTP method; empty for other kinds. */
  readonly method: string
  /** HTTP request target in origin form. For `query`: the name of the query. Empty for other kinds. */
  readonly target: string
  readonly fields: Fields
  /**
   * Opaque id of the client connection, for backends that authenticate connections. Requests with the same id use the
   * same connection to the backend.
   */
  readonly affinity?: string | undefined
  /**
   * The client of the stream, so that limits can count by client: an IPv4 address, or an IPv6 /64. The Plugboard that
   * received the request sets it, never the client. Absent or empty: unknown.
   */
  readonly client?: string
  /**
   * The decision of the Plugboard that received the request: true when it is traced. Undefined: no Plugboard has decided (PROTOCOL.md,
   * "Traces").
   */
  readonly traced?: boolean | undefined
}

export interface StreamResponseHead {
  /** 100 to 999. After a status below 200, except 101, another head follows. */
  readonly status: number
  /** The reason phrase; may be empty. */
  readonly statusText: string
  readonly fields: Fields
  /** Time of the backend until the head, microseconds. Undefined: unknown. Only with a final head (PROTOCOL.md, "Timing"). */
  readonly backendUs?: number | undefined
}

export interface StreamEvents {
  /** Only at the opener: any number of 1xx heads (never 101), then one final head. */
  onHead(head: StreamResponseHead): void
  /** Body bytes. They count against our window until the owner calls `consume` for them. The owner may keep the chunk. */
  onData(chunk: Buffer): void
  /** The far half is complete. `trailers` is undefined when it had no trailers. */
  onEnd(trailers: Fields | undefined): void
  /** There is room again after a `write` that returned false. */
  onWritable(): void
  /**
   * Both halves ended early: the far end reset the stream, the session ended, or the stream held too many bytes. Called
   * after `holdAfterEnd`, too, even when both halves are complete or our owner has reset the stream: the owner must then
   * drop the held bytes. Otherwise never called after our own `reset`.
   */
  onAbort(error: TunnelError): void
}

export interface Stream {
  readonly id: number
  readonly kind: StreamKind
  /** True until the stream is reset or lost, or both halves are complete. */
  readonly open: boolean
  /**
   * False while the far end may still refuse the stream with no byte delivered. Until it is true, at most 64 KiB of our
   * half are sent, so that an owner that keeps the written data can repeat all of it.
   */
  readonly accepted: boolean
  /**
   * True when the opener's half is complete with its OPEN. An acceptor then gets `onEnd` before any other task of the event
   * loop runs. Absent: unknown.
   */
  readonly endsWithOpen?: boolean
  /**
   * Sends the head of a response; only for the acceptor. Throws when a final head was sent before. Throws HeadError for a
   * head that cannot be sent.
   */
  respond(head: StreamResponseHead): void
  /**
   * Sends body bytes. Accepts the chunk in every case. Returns true when the chunk is copied, so that the caller may
   * reuse its buffer. Returns false when the stream may need the buffer until `onWritable`; the caller should stop
   * until then. Also returns false when no more data can be sent before the stream is `accepted`. A stream that is no
   * longer open ignores the call.
   */
  write(chunk: Buffer): boolean
  /** Completes our half after all written data. Throws HeadError for trailers that cannot be sent. */
  end(trailers?: Fields): void
  /**
   * Ends both halves at once. The owner at the far end gets `onAbort`. No effect when not open.
   * `causeCode`: a code of backend-causes.ts. A peer without the feature `cause` does not receive it.
   */
  reset(reason: TunnelError['reason'], detail?: string, causeCode?: string): void
  /** Returns credit for `bytes` of received data to the far end. */
  consume(bytes: number): void
  /**
   * Sets the total `bytes` that the owner keeps for this stream, in addition to received data that it has not consumed
   * and data that it has written. They count against the budget of held bytes until the stream ends.
   */
  keep(bytes: number): void
  /**
   * Keeps unconsumed received data in the count after the end of the stream, until the owner consumes it or calls
   * `release`. The owner must call `release` at some point.
   */
  holdAfterEnd(): void
  /** Reports that the owner holds no bytes of a stream that has ended. */
  release(): void
}
