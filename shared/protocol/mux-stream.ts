// One stream of a session: order of frames, credit both ways, and what waits for credit or for room.
// The session feeds it frames and turns; its owner sees only the `Stream` face (stream.ts).
//
//   each half:   (await head →) body → ended        the stream:  open → closed
//
// An acceptor's own half and an opener's far half start at `await head`, the others at `body`. A frame that
// does not fit the far half's state is a FrameError (the peer's fault); a call that does not fit ours throws.

import { FrameError } from './decode.ts'
import { CREDIT_MAX_BYTES, DATA_SLICE_BYTES, UNACCEPTED_BYTES } from './frame.ts'
import type { Outbox } from './outbox.ts'
import { REASONS, type Reason, type TunnelError } from './reason.ts'
import type { GrowthBudget, ReceiveWindow } from './receive-window.ts'
import type { AnswerHead, Fields, Stream, StreamEvents } from './stream.ts'
import type { StreamKind } from './stream-kind.ts'
import type { TurnTaker } from './turns.ts'

/** What a stream needs of its session. */
export interface StreamHost {
  readonly outbox: Outbox
  readonly growth: GrowthBudget
  readonly maxWindowBytes: number
  /** True when body data should wait in the streams. */
  readonly congested: boolean
  /** True when other streams are waiting for their turn. */
  readonly queued: boolean
  /** Round trip of the path, ms; 0 before it is known. */
  readonly pathRttMs: number
  now(): number
  /** The stream has data and credit, or its owner waits for room: give it a turn. */
  askTurn(stream: MuxStream): void
  /** The stream is closed; forget it. */
  forget(stream: MuxStream): void
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
  /** What the peer lets us send before its first WINDOW. */
  readonly creditBytes: number
  /** False: whether the peer takes the stream shows in its first HEAD or WINDOW. */
  readonly accepted: boolean
  readonly window: ReceiveWindow
}

export class MuxStream implements Stream, TurnTaker {
  readonly id: number
  readonly kind: StreamKind
  readonly #host: StreamHost
  readonly #opener: boolean
  readonly #window: ReceiveWindow
  #events: StreamEvents | undefined
  #ours: Half
  #theirs: Half
  #open = true
  #creditBytes: number
  #accepted: boolean
  /** Credit that waits for the stream to be accepted. */
  #heldBytes = 0
  // Body that waits for credit or for its turn, and what comes after it.
  #pending: Buffer[] = []
  #endPending = false
  #trailersPending: Fields | undefined
  /** The owner was told to stop. */
  #blocked = false
  /** Why it was aborted before its owner's events were known. */
  #abortedEarly: TunnelError | undefined
  inTurn = false

  constructor(options: MuxStreamOptions) {
    this.id = options.id
    this.kind = options.kind
    this.#host = options.host
    this.#opener = options.opener
    this.#ours = options.opener ? BODY : AWAIT_HEAD
    this.#theirs = options.opener ? AWAIT_HEAD : BODY
    this.#creditBytes = options.creditBytes
    this.#accepted = options.accepted
    if (!options.accepted && options.creditBytes > UNACCEPTED_BYTES) {
      this.#creditBytes = UNACCEPTED_BYTES
      this.#heldBytes = options.creditBytes - UNACCEPTED_BYTES
    }
    this.#window = options.window
  }

  get open(): boolean {
    return this.#open
  }

  get accepted(): boolean {
    return this.#accepted
  }

  // The owner's calls

  respond(head: AnswerHead): void {
    if (!this.#open) return
    if (this.#opener) throw new Error('only the acceptor of a stream responds')
    if (this.#ours !== AWAIT_HEAD) throw new Error('a final head was sent before')
    if (!(head.status >= 100 && head.status <= 999)) throw new RangeError(`status ${head.status}`)
    const final = isFinal(head.status)
    this.#host.outbox.head(this.id, head, final)
    if (final) this.#ours = BODY
  }

  write(chunk: Buffer): boolean {
    if (!this.#open || chunk.length === 0) return !this.#blocked
    if (this.#ours !== BODY || this.#endPending) throw new Error('write outside of the body')
    const host = this.#host
    const fits = chunk.length <= this.#creditBytes && chunk.length <= this.#sliceBytes()
    if (fits && this.#pending.length === 0 && !host.queued && !host.congested) {
      this.#creditBytes -= chunk.length
      host.outbox.data(this.id, chunk, false)
      if (!host.congested && !this.#inDoubt) return true
      this.#blocked = true
      host.askTurn(this)
      return false
    }
    this.#pending.push(chunk)
    if (this.#creditBytes > 0) host.askTurn(this)
    if (!this.#open) return true
    const waits = this.#pending.length > 0
    if (!waits && !host.congested && !this.#inDoubt) return !this.#blocked
    this.#blocked = true
    if (!waits) host.askTurn(this)
    return false
  }

  end(trailers?: Fields): void {
    if (!this.#open) return
    if (this.#ours !== BODY || this.#endPending) throw new Error('end outside of the body')
    if (this.#pending.length > 0) {
      if (trailers !== undefined) this.#host.outbox.checkTrailers(trailers)
      this.#endPending = true
      this.#trailersPending = trailers
    } else {
      this.#finishOurs(trailers)
    }
  }

  reset(reason: Reason, detail = ''): void {
    if (!this.#open) return
    this.#host.outbox.reset(this.id, REASONS[reason].code, detail)
    this.#close()
  }

  consume(bytes: number): void {
    if (!this.#open || this.#theirs === ENDED || bytes === 0) return
    if (!this.#window.consume(bytes)) return
    const host = this.#host
    const grant = this.#window.update(host.now(), host.pathRttMs, host.maxWindowBytes, host.growth)
    host.outbox.window(this.id, grant)
  }

  // The session's calls

  /** The owner's events; until they are known no frame may be delivered. */
  attach(events: StreamEvents): void {
    this.#events = events
    if (this.#abortedEarly !== undefined) events.onAbort(this.#abortedEarly)
  }

  /** The opener's half is complete with its head. */
  endWithHead(): void {
    this.#ours = ENDED
  }

  headArrived(head: AnswerHead): void {
    if (!this.#opener) throw new FrameError('HEAD from the opener of a stream')
    if (this.#theirs !== AWAIT_HEAD) throw new FrameError('a second final HEAD')
    if (isFinal(head.status)) this.#theirs = BODY
    this.#events?.onHead(head)
    this.#accept()
  }

  dataArrived(body: Buffer): void {
    if (this.#theirs === AWAIT_HEAD) throw new FrameError('DATA before the final HEAD')
    if (this.#theirs === ENDED) throw new FrameError('DATA after END')
    if (body.length === 0) return
    if (!this.#window.receive(body.length)) {
      throw new FrameError(`stream ${this.id} sent more than its window`, 'flow_control_error')
    }
    this.#events?.onData(body)
  }

  endArrived(trailers: Fields | undefined): void {
    if (!this.#open) return
    if (this.#theirs === AWAIT_HEAD) throw new FrameError('END before the final HEAD')
    if (this.#theirs === ENDED) throw new FrameError('a second END')
    this.#theirs = ENDED
    if (this.#ours === ENDED) this.#close()
    this.#events?.onEnd(trailers)
  }

  creditArrived(bytes: number): void {
    this.#creditBytes += bytes
    if (this.#creditBytes + this.#heldBytes > CREDIT_MAX_BYTES) {
      throw new FrameError(`stream ${this.id} was given too much credit`, 'flow_control_error')
    }
    if (!this.#accepted) this.#accept()
    else if (this.#pending.length > 0) this.#host.askTurn(this)
  }

  /** Ended from outside: a RESET has come, or the session is over. */
  abort(error: TunnelError): void {
    if (!this.#open) return
    this.#close()
    if (this.#events === undefined) this.#abortedEarly = error
    else this.#events.onAbort(error)
  }

  /** Ends both halves from this side against the owner's will: the far end and the owner are told. */
  evict(error: TunnelError): void {
    if (!this.#open) return
    this.#host.outbox.reset(this.id, REASONS[error.reason].code, error.detail)
    this.abort(error)
  }

  takeTurn(): boolean {
    const chunk = this.#pending[0]
    if (chunk === undefined) {
      this.#tellWritable()
      return false
    }
    if (this.#creditBytes <= 0) return false
    const bytes = Math.min(chunk.length, this.#creditBytes, this.#sliceBytes())
    this.#creditBytes -= bytes
    if (bytes === chunk.length) {
      this.#pending.shift()
      this.#host.outbox.data(this.id, chunk, false)
    } else {
      this.#pending[0] = chunk.subarray(bytes)
      this.#host.outbox.data(this.id, chunk.subarray(0, bytes), false)
    }
    if (this.#pending.length > 0) return this.#creditBytes > 0
    if (this.#endPending) this.#finishOurs(this.#trailersPending)
    else this.#tellWritable()
    return false
  }

  #accept(): void {
    if (this.#accepted || !this.#open) return
    this.#accepted = true
    this.#creditBytes += this.#heldBytes
    this.#heldBytes = 0
    if (this.#pending.length > 0 || this.#blocked) this.#host.askTurn(this)
  }

  /** As much has left as may before the stream is accepted. */
  get #inDoubt(): boolean {
    return !this.#accepted && this.#creditBytes <= 0
  }

  #tellWritable(): void {
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
    this.#ours = ENDED
    if (this.#theirs === ENDED) this.#close()
  }

  #close(): void {
    this.#open = false
    this.#pending = []
    this.#window.release(this.#host.growth)
    this.#host.forget(this)
  }
}

/** 101 is final for a stream: bytes follow it. */
function isFinal(status: number): boolean {
  return status >= 200 || status === 101
}
