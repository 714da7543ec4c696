// One stream of a session: the order of frames, the credit of both directions, and the data that waits for credit or
// room. The session passes frames and turns to it; its owner uses only the `Stream` interface (stream.ts).
//
//   each half:   (await head →) body → ended        the stream:  open → closed
//
// An acceptor's own half and an opener's far half start at `await head`, the other halves at `body`. A frame that does
// not fit the state of the far half is a FrameError (the peer's fault). A call that does not fit our half throws.

import type { Outbox } from '../outbox.ts'
import type { ScheduledSender } from '../send-scheduler.ts'
import { FrameError } from '../wire/decode.ts'
import { CREDIT_MAX_BYTES, DATA_SLICE_BYTES, UNACCEPTED_BYTES } from '../wire/frame.ts'
import { REASONS, type Reason, type TunnelError } from '../wire/reason.ts'
import { SMALL_PIECE_BYTES, SmallPieces, withoutWaste } from '../wire/small-pieces.ts'
import type { StreamKind } from '../wire/stream-kind.ts'
import type { HeldBytes } from './held-bytes.ts'
import type { GrowthBudget, ReceiveWindow } from './receive-window.ts'
import type { Fields, Stream, StreamEvents, StreamResponseHead } from './stream.ts'
import { type Evictable, headCost, StreamHold } from './stream-hold.ts'

/** The part of the session that a stream uses. */
export interface StreamHost {
  readonly outbox: Outbox
  readonly growth: GrowthBudget
  /** Numbers of stalls: an end has data of a stream, and no credit. */
  readonly stalls: { own: number; peer: number }
  readonly maxWindowBytes: number
  /** True when body data should wait in the streams. */
  readonly congested: boolean
  /** True when other streams wait for their turn. */
  readonly queued: boolean
  /** Round trip of the path, ms; 0 before it is known. */
  readonly pathRttMs: number
  now(): number
  /** Requests a turn: the stream has data and credit, or its owner waits for room. */
  askTurn(stream: MuxStream): void
  /** Removes a closed stream from the session. */
  forget(stream: MuxStream): void
  /** Ends the session because an owner threw, outside of the handling of a frame or a turn. */
  fail(error: unknown): void
}

const AWAIT_HEAD = 0
const BODY = 1
const ENDED = 2
type Half = typeof AWAIT_HEAD | typeof BODY | typeof ENDED

export interface MuxStreamOptions {
  readonly id: number
  readonly kind: StreamKind
  readonly host: StreamHost
  readonly opener: boolean
  /** True when the opener's half is complete with the OPEN. */
  readonly endsWithOpen: boolean
  /** Client of the stream, from its OPEN; empty: unknown. */
  readonly client: string
  /** Bytes that this end may send before the peer's first WINDOW. */
  readonly creditBytes: number
  /** False while the peer may still refuse the stream. Its first HEAD or WINDOW shows that it accepts the stream. */
  readonly accepted: boolean
  readonly window: ReceiveWindow
  /** The account that counts the bytes that the stream holds. Undefined: no count. */
  readonly account: HeldBytes | undefined
}

/** A waiting chunk below this size is copied when it is a small part of its buffer: a quarter of one read of Node. */
const COPIED_BYTES = 16_384
/** Number of small pieces that a slow owner receives one by one. Later pieces are joined. */
const SINGLE_PIECES = 64

export class MuxStream implements Stream, ScheduledSender, Evictable {
  readonly id: number
  readonly kind: StreamKind
  readonly client: string
  readonly endsWithOpen: boolean
  readonly #host: StreamHost
  readonly #opener: boolean
  readonly #window: ReceiveWindow
  readonly #account: HeldBytes | undefined
  /** Created when the stream holds bytes for the first time. */
  #hold: StreamHold | undefined
  #events: StreamEvents | undefined
  #ours: Half
  #theirs: Half
  #open = true
  #creditBytes: number
  #accepted: boolean
  /** Credit that waits for the stream to be accepted. */
  #heldBytes = 0
  // Heads that wait for their turn, the body that waits for credit or for its turn, and the END and trailers after it.
  #heads: StreamResponseHead[] | undefined
  #pending: Buffer[] = []
  /** Bytes of the waiting heads and body. */
  #pendingBytes = 0
  #endPending = false
  #trailersPending: Fields | undefined
  /** True after `write` returned false, until `onWritable`. */
  #blocked = false
  /** Error of an abort that came before `attach`. */
  #abortedEarly: TunnelError | undefined
  inTurn = false
  /** True while data waits for credit of the peer. */
  #stalled = false
  /** Joined small pieces of the far half, while the owner has unread data. */
  #pieces: SmallPieces | undefined
  #piecesDue = false
  #singlePieces = 0

  constructor(options: MuxStreamOptions) {
    this.id = options.id
    this.kind = options.kind
    this.client = options.client
    this.endsWithOpen = options.endsWithOpen
    this.#host = options.host
    this.#opener = options.opener
    this.#ours = !options.opener ? AWAIT_HEAD : options.endsWithOpen ? ENDED : BODY
    this.#theirs = options.opener ? AWAIT_HEAD : BODY
    this.#creditBytes = options.creditBytes
    this.#accepted = options.accepted
    if (!options.accepted && options.creditBytes > UNACCEPTED_BYTES) {
      this.#creditBytes = UNACCEPTED_BYTES
      this.#heldBytes = options.creditBytes - UNACCEPTED_BYTES
    }
    this.#window = options.window
    this.#account = options.account
  }

  get open(): boolean {
    return this.#open
  }

  get accepted(): boolean {
    return this.#accepted
  }

  // The owner's calls

  respond(head: StreamResponseHead): void {
    if (!this.#open) return
    if (this.#opener) throw new Error('only the acceptor of a stream responds')
    if (this.#ours !== AWAIT_HEAD) throw new Error('a final head was sent before')
    if (!(head.status >= 100 && head.status <= 999)) throw new RangeError(`status ${head.status}`)
    const final = isFinal(head.status)
    if (this.#heads !== undefined || this.#host.congested) this.#delayHead(head, final)
    else this.#host.outbox.head(this.id, head, final)
    if (final) this.#ours = BODY
  }

  write(chunk: Buffer): boolean {
    if (!this.#open || chunk.length === 0) return !this.#blocked
    if (this.#ours !== BODY || this.#endPending) throw new Error('write outside of the body')
    const host = this.#host
    const fits = chunk.length <= this.#creditBytes && chunk.length <= this.#sliceBytes()
    const next = this.#pending.length === 0 && this.#heads === undefined
    if (fits && next && !host.queued && !host.congested) {
      this.#creditBytes -= chunk.length
      host.outbox.data(this.id, chunk, false)
      if (!host.congested && !this.#inDoubt) return true
      this.#blocked = true
      host.askTurn(this)
      return false
    }
    // A chunk of HTTP/2 is a view into a whole read of its connection, and would keep all bytes of that read alive.
    this.#pending.push(chunk.length < COPIED_BYTES ? withoutWaste(chunk) : chunk)
    this.#pendingBytes += chunk.length
    if (this.#creditBytes > 0) host.askTurn(this)
    if (!this.#open) return true
    const waits = this.#pending.length > 0
    if (waits) {
      this.#count()
      this.#noteStall()
    }
    if (!waits && !host.congested && !this.#inDoubt) return !this.#blocked
    this.#blocked = true
    if (!waits) host.askTurn(this)
    return false
  }

  end(trailers?: Fields): void {
    if (!this.#open) return
    if (this.#ours !== BODY || this.#endPending) throw new Error('end outside of the body')
    const waits = this.#pending.length > 0 || this.#heads !== undefined
    if (!waits && (trailers === undefined || !this.#host.congested)) {
      this.#finishOurs(trailers)
      return
    }
    if (trailers !== undefined) this.#host.outbox.checkTrailers(trailers)
    this.#endPending = true
    this.#trailersPending = trailers
    if (!waits) this.#host.askTurn(this)
  }

  reset(reason: Reason, detail = '', causeCode = ''): void {
    if (!this.#open) return
    this.#host.outbox.reset(this.id, REASONS[reason].code, detail, causeCode)
    this.#close()
  }

  consume(bytes: number): void {
    if (bytes === 0 || (!this.#open && this.#hold?.outlasts !== true)) return
    const due = this.#window.consume(bytes)
    if (this.#hold !== undefined) this.#count()
    if (this.#pieces !== undefined) this.#piecesWanted(this.#pieces)
    if (!due || !this.#open || this.#theirs === ENDED) return
    const host = this.#host
    const grant = this.#window.update(host.now(), host.pathRttMs, host.maxWindowBytes, host.growth)
    host.outbox.window(this.id, grant)
  }

  keep(bytes: number): void {
    if (!this.#open || this.#account === undefined || (bytes === 0 && this.#hold === undefined)) return
    this.#holdOf(this.#account).keptBytes = bytes
    this.#count()
  }

  holdAfterEnd(): void {
    if (this.#account === undefined || (this.#hold === undefined && this.#window.unreadBytes === 0)) return
    this.#holdOf(this.#account).outlasts = true
    this.#count()
  }

  release(): void {
    const hold = this.#hold
    if (hold === undefined) return
    if (this.#open) hold.outlasts = false
    else hold.release()
  }

  // The session's calls

  /** Sets the owner's events. The session delivers no frame before this call. */
  attach(events: StreamEvents): void {
    this.#events = events
    if (this.#abortedEarly !== undefined) events.onAbort(this.#abortedEarly)
  }

  /** Charges a head or trailers that the owner may keep. `strings` is the number of its strings. */
  headHeld(blockBytes: number, strings: number): void {
    const cost = headCost(blockBytes, strings)
    if (cost === 0 || !this.#open || this.#account === undefined) return
    this.#holdOf(this.#account).addHead(cost)
    this.#count()
  }

  headArrived(head: StreamResponseHead, blockBytes: number): void {
    if (!this.#opener) throw new FrameError('HEAD from the opener of a stream')
    if (this.#theirs !== AWAIT_HEAD) throw new FrameError('a second final HEAD')
    // The owner passes an informational head on at once, so it is not counted as held.
    if (isFinal(head.status)) {
      this.#theirs = BODY
      this.headHeld(blockBytes, head.fields.length)
    }
    this.#events?.onHead(head)
    this.#accept()
  }

  dataArrived(body: Buffer): void {
    if (this.#theirs === AWAIT_HEAD) throw new FrameError('DATA before the final HEAD')
    if (this.#theirs === ENDED) throw new FrameError('DATA after END')
    if (body.length === 0) return
    const behind = this.#window.unreadBytes > 0
    if (!this.#window.receive(body.length)) {
      throw new FrameError(`stream ${this.id} sent more than its window`, 'flow_control_error')
    }
    if (this.#window.isUsedUp) this.#host.stalls.peer += 1
    if (behind) this.#deliverBehind(body)
    else {
      this.#singlePieces = 0
      this.#events?.onData(body)
    }
    if (this.#hold === undefined && this.#window.unreadBytes === 0) return
    if (!behind && this.#open && this.#account !== undefined) this.#holdOf(this.#account).pin(body)
    this.#count()
  }

  endArrived(trailers: Fields | undefined, blockBytes = 0): void {
    if (!this.#open) return
    if (this.#theirs === AWAIT_HEAD) throw new FrameError('END before the final HEAD')
    if (this.#theirs === ENDED) throw new FrameError('a second END')
    this.#deliverPieces()
    if (!this.#open) return
    this.#theirs = ENDED
    if (trailers !== undefined) this.headHeld(blockBytes, trailers.length)
    if (this.#ours === ENDED) this.#close()
    this.#events?.onEnd(trailers)
  }

  creditArrived(bytes: number): void {
    this.#creditBytes += bytes
    this.#stalled = false
    if (this.#creditBytes + this.#heldBytes > CREDIT_MAX_BYTES) {
      throw new FrameError(`stream ${this.id} was given too much credit`, 'flow_control_error')
    }
    if (!this.#accepted) this.#accept()
    else if (this.#pending.length > 0) this.#host.askTurn(this)
  }

  /** Aborts the stream because a RESET arrived or the session ended. */
  abort(error: TunnelError): void {
    if (!this.#open) return
    if (this.#hold !== undefined) this.#hold.outlasts = false
    this.#close()
    if (this.#events === undefined) this.#abortedEarly = error
    else this.#events.onAbort(error)
  }

  /** Ends both halves from this side without a call of the owner. Notifies the far end and the owner. */
  evict(error: TunnelError): void {
    if (!this.#open) return
    this.#host.outbox.reset(this.id, REASONS[error.reason].code, error.detail)
    this.abort(error)
  }

  endForBudget(error: TunnelError): void {
    try {
      if (this.#open) this.evict(error)
      else this.#events?.onAbort(error)
    } catch (thrown) {
      this.#host.fail(thrown)
    }
  }

  takeTurn(): boolean {
    if (this.#heads !== undefined) {
      this.#sendHeads(this.#heads)
      return true
    }
    const chunk = this.#pending[0]
    if (chunk === undefined) {
      this.#pendingSent()
      return false
    }
    if (this.#creditBytes <= 0) return false
    const bytes = Math.min(chunk.length, this.#creditBytes, this.#sliceBytes())
    this.#creditBytes -= bytes
    this.#pendingBytes -= bytes
    if (this.#hold !== undefined) this.#count()
    if (bytes === chunk.length) {
      this.#pending.shift()
      this.#host.outbox.data(this.id, chunk, false)
    } else {
      this.#pending[0] = chunk.subarray(bytes)
      this.#host.outbox.data(this.id, chunk.subarray(0, bytes), false)
    }
    if (this.#pending.length > 0) {
      this.#noteStall()
      return this.#creditBytes > 0
    }
    this.#pendingSent()
    return false
  }

  /**
   * Makes a head wait for its turn, like body data, while the transport is full. Otherwise heads would fill the transport
   * without a limit. An acceptor may send any number of informational heads, so at most one of them waits, plus one 100;
   * further ones are dropped.
   */
  #delayHead(head: StreamResponseHead, final: boolean): void {
    const bytes = this.#host.outbox.checkHead(head)
    this.#heads ??= []
    const waits =
      head.status === 100 ? this.#heads.some(({ status }) => status === 100) : this.#heads.length > 0
    if (waits && !final) return
    this.#heads.push(head)
    this.#pendingBytes += bytes
    this.#count()
    this.#host.askTurn(this)
  }

  #sendHeads(heads: StreamResponseHead[]): void {
    this.#heads = undefined
    for (const head of heads) this.#host.outbox.head(this.id, head, isFinal(head.status))
    this.#pendingBytes = 0
    for (const { length } of this.#pending) this.#pendingBytes += length
    this.#count()
  }

  #accept(): void {
    if (this.#accepted || !this.#open) return
    this.#accepted = true
    this.#creditBytes += this.#heldBytes
    this.#heldBytes = 0
    if (this.#pending.length > 0 || this.#blocked) this.#host.askTurn(this)
  }

  /** Counts that data waits for credit, once until credit arrives. A stream that is not accepted yet waits for that. */
  #noteStall(): void {
    if (this.#stalled || !this.#accepted || this.#creditBytes > 0) return
    this.#stalled = true
    this.#host.stalls.own += 1
  }

  /** True when the credit that applies before acceptance is used up. */
  get #inDoubt(): boolean {
    return !this.#accepted && this.#creditBytes <= 0
  }

  /**
   * Handles that no data waits any more. Notifies the owner of room even after it ended its half, because the owner may
   * then have to return credit for data that it forwarded.
   */
  #pendingSent(): void {
    // Read before the call below: an owner that calls `end` in `onWritable` may have written more data first.
    const ended = this.#endPending
    this.#notifyWritable()
    if (ended && this.#open) this.#finishOurs(this.#trailersPending)
  }

  #notifyWritable(): void {
    if (!this.#blocked || this.#inDoubt) return
    this.#blocked = false
    this.#events?.onWritable()
  }

  #sliceBytes(): number {
    return Math.min(DATA_SLICE_BYTES, this.#host.outbox.maxFrameBytes)
  }

  #finishOurs(trailers: Fields | undefined): void {
    if (trailers !== undefined && trailers.length > 0) this.#host.outbox.trailers(this.id, trailers)
    else this.#host.outbox.end(this.id)
    this.#endPending = false
    this.#ours = ENDED
    if (this.#theirs === ENDED) this.#close()
  }

  /** Delivers body to an owner that has not consumed the earlier data. */
  #deliverBehind(body: Buffer): void {
    if (body.length < SMALL_PIECE_BYTES) {
      this.#singlePieces += 1
      if (this.#singlePieces > SINGLE_PIECES) {
        this.#pieces ??= new SmallPieces()
        if (this.#pieces.add(body)) this.#deliverPieces()
        return
      }
    }
    this.#deliverPieces()
    if (!this.#open) return
    this.#events?.onData(withoutWaste(body))
  }

  #deliverPieces(): void {
    const pieces = this.#pieces
    if (pieces === undefined) return
    this.#pieces = undefined
    this.#events?.onData(pieces.joined())
  }

  /** Delivers the joined pieces when the owner has consumed all other data. A microtask does it: the owner is in a call now. */
  #piecesWanted(pieces: SmallPieces): void {
    if (this.#piecesDue || this.#window.unreadBytes > pieces.bytes) return
    this.#piecesDue = true
    queueMicrotask(() => {
      this.#piecesDue = false
      if (!this.#open) return
      try {
        this.#deliverPieces()
      } catch (error) {
        this.#host.fail(error)
      }
    })
  }

  #holdOf(account: HeldBytes): StreamHold {
    this.#hold ??= new StreamHold(account, this)
    return this.#hold
  }

  #count(): void {
    if (this.#account === undefined || (!this.#open && this.#hold?.outlasts !== true)) return
    this.#holdOf(this.#account).count(this.#window.unreadBytes, this.#pendingBytes)
  }

  #close(): void {
    this.#open = false
    this.#heads = undefined
    this.#pending = []
    this.#pendingBytes = 0
    this.#pieces = undefined
    this.#window.release(this.#host.growth)
    if (this.#hold !== undefined && !this.#hold.outlasts) this.#hold.release()
    this.#host.forget(this)
  }
}

/** Returns true for a final head. For a stream, 101 is final too, because plain bytes follow it. */
function isFinal(status: number): boolean {
  return status >= 200 || status === 101
}
