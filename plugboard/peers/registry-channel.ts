// The registry exchange with one peer, over one stream for both directions. The end that has a link first opens the stream, and
// opens it again when it breaks. When both ends open one at the same time, the stream of the smaller replica id stays.
//
//   closed ──open()──▶ opened ──broken──▶ waiting ──at most 200 ms──▶ opened
//     └──accept()──▶ accepted ──broken──▶ waiting          stop(), from anywhere ──▶ closed

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { Session } from '@vera-stack/shared/protocol/session.ts'
import { REFUSED_STREAM } from '@vera-stack/shared/protocol/streams/refused-stream.ts'
import type { Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { ReplicaId } from '../common/ids/replica-id.ts'
import type { Incarnation } from '../registry/incarnation.ts'
import type { RegistryFollower } from '../registry/sync/registry-follower.ts'
import type { RegistryOwner } from '../registry/sync/registry-owner.ts'
import { RegistrySync } from '../registry/sync/registry-sync.ts'
import { REGISTRY_OPENING, RegistryStream } from './registry-stream.ts'

/** Upper bound of the random delay before a broken exchange is opened again, ms. */
const REOPEN_MS = 200

export interface RegistryChannelOptions {
  readonly peerId: ReplicaId
  /** The id of this replica. */
  readonly selfId: string
  readonly owner: RegistryOwner
  readonly follower: RegistryFollower
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  /** Returns the link that can open a stream now. */
  readonly link: () => Session | undefined
  /** Returns the incarnation of the linked peer. Undefined: no exchange is wanted. */
  readonly incarnation: () => Incarnation | undefined
  /** Returns true while a broken exchange should be opened again, even when no link can carry it right now. */
  readonly wanted: () => boolean
  /** Called when this replica has all lines of the peer. */
  readonly onAgree: () => void
}

export class RegistryChannel {
  readonly #options: RegistryChannelOptions
  #exchange: RegistrySync | undefined
  #stream: RegistryStream | undefined
  /** True when this end opened the stream. */
  #opened = false
  #reopen: Timer | undefined

  constructor(options: RegistryChannelOptions) {
    this.#options = options
  }

  /** True when this replica has all lines of the peer. */
  get agrees(): boolean {
    return this.#exchange?.agrees === true
  }

  /** True when each end has all lines of the other one, according to the exchange. */
  get inSync(): boolean {
    return this.#exchange?.agrees === true && this.#exchange.peerAgrees
  }

  /** Number of messages of the open exchange that were malformed or inconsistent. A number above 0 is a bug on one end. */
  get faultyMessages(): number {
    const { garbage = 0, mismatches = 0 } = this.#exchange?.faults ?? {}
    return garbage + mismatches
  }

  /** Opens the stream. Has no effect while there is a stream, or while there is no link. */
  open(): void {
    const [link, incarnation] = [this.#options.link(), this.#options.incarnation()]
    if (this.#stream !== undefined || link === undefined || incarnation === undefined) return
    const stream = this.#replace(incarnation)
    this.#opened = true
    stream.attach(link.open(REGISTRY_OPENING, stream, false), false)
  }

  /** Accepts a stream of the peer. It replaces a confirmed stream of this end, because the peer opens one only without it. */
  accept(stream: Stream): StreamEvents {
    const incarnation = this.#options.incarnation()
    const crossed = this.#stream !== undefined && this.#opened && !this.#stream.confirmed
    if (incarnation === undefined || (crossed && this.#options.selfId < this.#options.peerId)) {
      stream.reset('refused', 'an exchange is open already, or this replica stops')
      return REFUSED_STREAM
    }
    const accepted = this.#replace(incarnation)
    this.#opened = false
    accepted.attach(stream, true)
    return accepted
  }

  stop(): void {
    this.#reopen?.cancel()
    this.#reopen = undefined
    this.#stream?.close()
    this.#stream = undefined
    this.#exchange?.close()
    this.#exchange = undefined
  }

  #replace(incarnation: Incarnation): RegistryStream {
    this.stop()
    const { owner, follower, clock, peerId, log, onAgree } = this.#options
    const exchange = new RegistrySync({
      owner,
      follower,
      peerId,
      peerIncarnation: incarnation,
      clock,
      onReady: () => stream.pump(),
      onAgree,
      onFault: ({ garbage }) =>
        log.warn('a replica sent invalid registry data', {
          detail: garbage > 0 ? 'a message is malformed' : 'a digest does not match',
        }),
    })
    const stream: RegistryStream = new RegistryStream(exchange, () => this.#broken(stream))
    this.#exchange = exchange
    this.#stream = stream
    return stream
  }

  #broken(stream: RegistryStream): void {
    if (stream !== this.#stream) return
    this.stop()
    this.#reopenIn(this.#options.random() * REOPEN_MS)
  }

  /** Opens the exchange after a delay. When the session is at its limit of streams then, the channel waits again. */
  #reopenIn(delayMs: number): void {
    const { clock, wanted } = this.#options
    if (!wanted()) return
    this.#reopen = clock.after(delayMs, () => {
      this.open()
      if (this.#stream === undefined) this.#reopenIn(REOPEN_MS)
    })
  }
}
