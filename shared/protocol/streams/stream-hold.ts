// What one stream holds, as the account of its session counts it. A stream makes one when it first holds bytes, so that
// a stream whose owner keeps up costs nothing. mux-stream.ts counts what is unread and what waits; this file adds the
// rest: heads, whole messages that are kept alive by a part of them, and what the owner keeps by itself.

import type { TunnelError } from '../wire/reason.ts'
import type { HeldBytes, HeldStream, Holder } from './held-bytes.ts'

/** A head or trailers up to this size are part of what any stream costs, bytes. */
const FREE_HEAD_BYTES = 4096
/** What a string of a head costs beside its bytes. */
const STRING_BYTES = 40
/** One read of a socket: what the first unread part of a message may keep alive at no charge. */
const FREE_PINNED_BYTES = 65_536

/** What a hold needs of its stream. */
export interface Evictable {
  /** The client that the stream is for; empty: not known. */
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

  /** Bytes that the owner keeps beside those that the stream counts. */
  set keptBytes(bytes: number) {
    this.#keptBytes = bytes
  }

  /** The body that has just become the first unread one keeps the whole message alive. */
  pin(body: Buffer): void {
    const pinnedBytes = body.buffer.byteLength - body.length
    this.#pinnedBytes = pinnedBytes > FREE_PINNED_BYTES ? pinnedBytes : 0
  }

  addHead(costBytes: number): void {
    this.#headBytes += costBytes
  }

  /** Charges what the stream holds now: `unreadBytes` for its owner, `waitingBytes` for its peer. */
  count(unreadBytes: number, waitingBytes: number): void {
    if (unreadBytes === 0) this.#pinnedBytes = 0
    const bytes = unreadBytes + waitingBytes + this.#headBytes + this.#keptBytes + this.#pinnedBytes
    if (bytes !== this.heldBytes) this.#account.charge(this, bytes - this.heldBytes)
  }

  /** Nothing is held any more. */
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
    // A stream is below the account of its session.
  }
}

/** What a head or trailers cost while they are held; 0 for a small one. */
export function headCost(blockBytes: number, strings: number): number {
  const bytes = blockBytes + strings * STRING_BYTES
  return bytes > FREE_HEAD_BYTES ? bytes : 0
}
