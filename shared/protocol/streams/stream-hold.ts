// The bytes that one stream holds in the account of its session. A stream creates a StreamHold when it holds bytes for
// the first time, so that a stream with a fast owner has no cost. mux-stream.ts counts unread and waiting bytes. This
// file adds heads, messages that are kept alive by an unread part of them, and bytes that the owner keeps.

import type { TunnelError } from '../wire/reason.ts'
import type { HeldBytes, HeldStream, Holder } from './held-bytes.ts'

/** A head or trailers up to this size are not charged, bytes. */
const FREE_HEAD_BYTES = 4096
/** Memory of a string of a head in addition to its characters, bytes. */
const STRING_BYTES = 40
/**
 * Bytes that the first unread part of a message may keep alive without a charge: one read of a socket (64 KiB), or the
 * pool in which Node allocates small buffers. The pool is 64 KiB too, but Node allocates 64 bytes more to align it.
 */
const FREE_PINNED_BYTES = 65_600

/** The part of a stream that its hold uses. */
export interface Evictable {
  /** The client of the stream; empty: unknown. */
  readonly client: string
  /** Ends the stream for its owner and its peer. Does not throw. */
  endForBudget(error: TunnelError): void
}

export class StreamHold implements HeldStream {
  heldBytes = 0
  nextHolder: Holder | undefined
  previousHolder: Holder | undefined
  /** True when the bytes stay counted after the end of the stream. */
  outlasts = false
  readonly #account: HeldBytes
  readonly #stream: Evictable
  #headBytes = 0
  #keptBytes = 0
  #pinnedBytes = 0

  constructor(account: HeldBytes, stream: Evictable) {
    this.#account = account
    this.#stream = stream
  }

  get client(): string {
    return this.#stream.client
  }

  /** Sets the bytes that the owner keeps in addition to the bytes that the stream counts. */
  set keptBytes(bytes: number) {
    this.#keptBytes = bytes
  }

  /** Counts the message that `body`, the first unread part, keeps alive. */
  pin(body: Buffer): void {
    const pinnedBytes = body.buffer.byteLength - body.length
    this.#pinnedBytes = pinnedBytes > FREE_PINNED_BYTES ? pinnedBytes : 0
  }

  addHead(costBytes: number): void {
    this.#headBytes += costBytes
  }

  /** Charges the current bytes of the stream: `unreadBytes` for its owner, `waitingBytes` for its peer. */
  count(unreadBytes: number, waitingBytes: number): void {
    if (unreadBytes === 0) this.#pinnedBytes = 0
    const bytes = unreadBytes + waitingBytes + this.#headBytes + this.#keptBytes + this.#pinnedBytes
    if (bytes !== this.heldBytes) this.#account.charge(this, bytes - this.heldBytes)
  }

  /** Releases all bytes. */
  release(): void {
    this.outlasts = false
    this.#keptBytes = 0
    if (this.heldBytes !== 0) this.#account.charge(this, -this.heldBytes)
  }

  evict(error: TunnelError): void {
    this.#stream.endForBudget(error)
    this.release()
  }

  collectStreams(streams: HeldStream[]): void {
    streams.push(this)
  }

  collectSessions(): void {
    // A stream is below the account of its session, so it adds no session.
  }
}

/** Returns the bytes to charge for a head or trailers; 0 for a small one. */
export function headCost(blockBytes: number, strings: number): number {
  const bytes = blockBytes + strings * STRING_BYTES
  return bytes > FREE_HEAD_BYTES ? bytes : 0
}
