// An exchange of messages with one peer, over one stream for both directions. The end that has a link first opens the stream, and
// opens it again when it breaks. When both ends open one at the same time, the stream of the smaller replica id stays. The
// registry and the shared limits have one channel each.
//
//   closed ──open()──▶ opened ──broken──▶ waiting ──at most 200 ms──▶ opened
//     │                  └──refused as an unknown kind──▶ unsupported
//     └──accept()──▶ accepted ──broken──▶ waiting          stop(), from anywhere ──▶ closed

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Session } from '@vera-stack/shared/protocol/session.ts'
import { REFUSED_STREAM } from '@vera-stack/shared/protocol/streams/refused-stream.ts'
import type { Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { ReplicaId } from '../../common/ids/replica-id.ts'
import type { Incarnation } from '../../registry/incarnation.ts'
import { type MessageExchange, type MessageKind, MessageStream, messageOpening } from './message-stream.ts'

/** Upper bound of the random delay before a broken exchange is opened again, ms. */
const REOPEN_MS = 200

/** The facts of a peer that all of its channels need. */
export interface ChannelPeer {
  readonly peerId: ReplicaId
  /** The id of this replica. */
  readonly selfId: string
  readonly clock: Clock
  readonly random: () => number
  /** Returns the link that can open a stream now. */
  readonly link: () => Session | undefined
  /** Returns the incarnation of the linked peer. Undefined: no exchange is wanted. */
  readonly incarnation: () => Incarnation | undefined
  /** Returns true while a broken exchange should be opened again, even when no link can carry it right now. */
  readonly wanted: () => boolean
}

export interface MessageChannelOptions<Exchange> {
  readonly kind: MessageKind
  readonly maxMessageBytes: number
  readonly peer: ChannelPeer
  /** Returns a new exchange. `onReady` sends its messages. */
  readonly create: (incarnation: Incarnation, onReady: () => void) => Exchange
}

export class MessageChannel<Exchange extends MessageExchange> {
  readonly #options: MessageChannelOptions<Exchange>
  #exchange: Exchange | undefined
  #stream: MessageStream | undefined
  /** True when this end opened the stream. */
  #opened = false
  #unsupported = false
  #reopen: Timer | undefined

  constructor(options: MessageChannelOptions<Exchange>) {
    this.#options = options
  }

  /** The exchange on the present stream. */
  get exchange(): Exchange | undefined {
    return this.#exchange
  }

  /** True when there is a stream, and the peer has accepted it. */
  get confirmed(): boolean {
    return this.#stream?.confirmed === true
  }

  /** True when the peer has refused the kind of the stream, because its version does not have it. */
  get unsupported(): boolean {
    return this.#unsupported
  }

  /** Opens the stream. Has no effect while there is a stream, or while there is no link. */
  open(): void {
    const { peer, kind } = this.#options
    const [link, incarnation] = [peer.link(), peer.incarnation()]
    if (this.#unsupported || this.#stream !== undefined || link === undefined || incarnation === undefined)
      return
    const stream = this.#replace(incarnation)
    this.#opened = true
    stream.attach(link.open(messageOpening(kind), stream, false), false)
  }

  /** Accepts a stream of the peer. It replaces a confirmed stream of this end, because the peer opens one only without it. */
  accept(stream: Stream): StreamEvents {
    const { peerId, selfId, incarnation: incarnationOf } = this.#options.peer
    const incarnation = incarnationOf()
    const crossed = this.#stream !== undefined && this.#opened && !this.#stream.confirmed
    if (incarnation === undefined || (crossed && selfId < peerId)) {
      stream.reset('refused', 'an exchange is open already, or this replica stops')
      return REFUSED_STREAM
    }
    const accepted = this.#replace(incarnation)
    this.#opened = false
    accepted.attach(stream, true)
    return accepted
  }

  /** Sends the waiting messages before it closes. The peer must not be wanted any more. Ends with the session at the latest. */
  finish(): void {
    this.#reopen?.cancel()
    this.#reopen = undefined
    this.#stream?.finish()
  }

  stop(): void {
    this.#unsupported = false
    this.#close()
  }

  #close(): void {
    this.#reopen?.cancel()
    this.#reopen = undefined
    this.#stream?.close()
    this.#stream = undefined
    this.#exchange?.close()
    this.#exchange = undefined
  }

  #replace(incarnation: Incarnation): MessageStream {
    this.#close()
    const { kind, maxMessageBytes, create } = this.#options
    const exchange = create(incarnation, () => stream.pump())
    const stream: MessageStream = new MessageStream({
      kind,
      exchange,
      maxMessageBytes,
      onOver: error => this.#broken(stream, error),
    })
    this.#exchange = exchange
    this.#stream = stream
    return stream
  }

  #broken(stream: MessageStream, error: TunnelError | undefined): void {
    if (stream !== this.#stream) return
    this.#close()
    this.#unsupported = error?.reason === 'unknown_kind'
    if (!this.#unsupported) this.#reopenIn(this.#options.peer.random() * REOPEN_MS)
  }

  /** Opens the exchange after a delay. When the session is at its limit of streams then, the channel waits again. */
  #reopenIn(delayMs: number): void {
    const { clock, wanted } = this.#options.peer
    if (!wanted()) return
    this.#reopen = clock.after(delayMs, () => {
      this.open()
      if (this.#stream === undefined) this.#reopenIn(REOPEN_MS)
    })
  }
}
