// The two faces of one stream: `Stream` is what its owner calls, `StreamEvents` what its owner is called with.
// Both ends of a tunnel use the same pair. A stream has two halves; each ends once, by END, or both end
// at once by an abort. After `onEnd` and our own end, or after `onAbort`, nothing more happens on it.
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

/** What opens a stream. Strings hold bytes as latin1 and no NUL, CR or LF. */
export interface Opening {
  readonly kind: StreamKind
  /** Replicas this stream has passed already; a peer refuses a second hop. */
  readonly hops: number
  readonly service: string
  /** HTTP method; empty for other kinds. */
  readonly method: string
  /** HTTP request target in origin form; for `query` the name of the query; else empty. */
  readonly target: string
  readonly fields: Fields
  /**
   * Opaque id of the client connection, for backends that authenticate connections. Requests with the same id use the
   * same connection to the backend.
   */
  readonly affinity?: string | undefined
  /**
   * Names the client that the stream is for, so that limits can count by client: an IPv4 address, or an IPv6 /64. Stated
   * by the Plugboard that took the request, never by the client. Absent or empty: not known.
   */
  readonly client?: string
}

export interface AnswerHead {
  /** 100…999. Below 200, 101 excepted, more heads follow. */
  readonly status: number
  /** The reason phrase, may be empty. */
  readonly statusText: string
  readonly fields: Fields
}

export interface StreamEvents {
  /** Opener only: any number of 1xx heads (never 101), then one final head. */
  onHead(head: AnswerHead): void
  /** Body bytes. They count against our window until `consume` is called for them. The chunk is ours to keep. */
  onData(chunk: Buffer): void
  /** The far half is complete. With trailers when there were any. */
  onEnd(trailers: Fields | undefined): void
  /** After a `write` that returned false: there is room again. */
  onWritable(): void
  /**
   * Both halves ended early: a reset from the far end, the session is lost, or the stream held too many bytes. Never
   * after our own `reset`. After `holdAfterEnd` and the end of both halves: what is still held must be given up.
   */
  onAbort(error: TunnelError): void
}

export interface Stream {
  readonly id: number
  readonly kind: StreamKind
  /** False once the stream is reset, lost, or both halves are complete. */
  readonly open: boolean
  /**
   * False: the far end may still refuse it with nothing delivered. No more than 64 KiB of our half leave before it is
   * true: an owner that has kept what it wrote can repeat all of it.
   */
  readonly accepted: boolean
  /**
   * True when the opener's half is complete with its OPEN. An acceptor then gets `onEnd` before any other task of the event
   * loop runs. Absent: not known.
   */
  readonly endsWithOpen?: boolean
  /** Acceptor only: sends an answer head. Throws when a final head was sent before, and HeadError for one that cannot be sent. */
  respond(head: AnswerHead): void
  /**
   * Sends body bytes. Always takes the chunk. True: it has been copied already, and the buffer may be used again.
   * False: it may still be needed until `onWritable`, and the caller is asked to stop until then. Ignored on a
   * stream that is no longer open. False also when nothing more leaves before the stream is `accepted`.
   */
  write(chunk: Buffer): boolean
  /** Completes our half, after everything written. Throws HeadError for trailers that cannot be sent. */
  end(trailers?: Fields): void
  /**
   * Ends both halves at once. The far end's owner gets `onAbort`; ours does not. No effect when not open.
   * `causeCode`: a code of backend-causes.ts. A peer without the feature `cause` does not receive it.
   */
  reset(reason: TunnelError['reason'], detail?: string, causeCode?: string): void
  /** Gives `bytes` of received data back to the far end as credit. */
  consume(bytes: number): void
  /**
   * Notes that the owner keeps `bytes` for this stream, in all, beside received data that it has not consumed and data
   * that it has written. They count against the budget of held bytes until the stream ends.
   */
  keep(bytes: number): void
  /**
   * Received data that is not consumed stays counted after the end of the stream, until it is consumed or `release` is
   * called. The owner must call `release` in the end.
   */
  holdAfterEnd(): void
  /** Notes that the owner holds nothing of a stream that has ended. */
  release(): void
}
