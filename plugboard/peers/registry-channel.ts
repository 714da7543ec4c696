// The registry exchange with one peer: one stream for both directions, opened by the end that has a link first, and opened
// again when it breaks. Two streams can cross on their way; then the one of the smaller replica id stays.
//
//   closed ──open()──▶ opened ──broken──▶ waiting ──at most 200 ms──▶ opened
//     └──accept()──▶ accepted ──broken──▶ waiting          stop(), from anywhere ──▶ closed

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { Session } from '@vera-stack/shared/protocol/session.ts'
import { REFUSED_STREAM } from '@vera-stack/shared/protocol/streams/refused-stream.ts'
import type { Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { ReplicaId } from '../common/replica-id.ts'
import type { Boot } from '../registry/boot.ts'
import { PeerExchange } from '../registry/sync/peer-exchange.ts'
import type { RegistryFollower } from '../registry/sync/registry-follower.ts'
import type { RegistryOwner } from '../registry/sync/registry-owner.ts'
import { REGISTRY_OPENING, RegistryStream } from './registry-stream.ts'

/** Before a broken exchange is opened again: a random time up to this, ms. */
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
  /** The link that can open a stream now. */
  readonly link: () => Session | undefined
  /** The start of the peer that is linked. Undefined: no exchange is wanted. */
  readonly boot: () => Boot | undefined
  /** True while an exchange that broke should be opened again, also when no link can carry it right now. */
  readonly wanted: () => boolean
  /** Called when both ends agree, or no longer do. */
  readonly onAgree: () => void
}

export class RegistryChannel {
  readonly #options: RegistryChannelOptions
  #exchange: PeerExchange | undefined
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

  /** True when each end has all lines of the other one, as far as both know. */
  get inSync(): boolean {
    return this.#exchange?.agrees === true && this.#exchange.peerAgrees
  }

  /** Messages of the open exchange that could not be read or did not add up. More than 0 is a bug on one end. */
  get faultyMessages(): number {
    const { garbage = 0, mismatches = 0 } = this.#exchange?.faults ?? {}
    return garbage + mismatches
  }

  /** Has no effect while there is a stream, or no link. */
  open(): void {
    const [link, boot] = [this.#options.link(), this.#options.boot()]
    if (this.#stream !== undefined || link === undefined || boot === undefined) return
    const stream = this.#replace(boot)
    this.#opened = true
    stream.attach(link.open(REGISTRY_OPENING, stream, false), false)
  }

  /** Takes the stream of the peer. A stream of this end that the peer has confirmed is over, because the peer opens another. */
  accept(stream: Stream): StreamEvents {
    const boot = this.#options.boot()
    const crossed = this.#stream !== undefined && this.#opened && !this.#stream.confirmed
    if (boot === undefined || (crossed && this.#options.selfId < this.#options.peerId)) {
      stream.reset('refused', 'an exchange is open already, or this replica stops')
      return REFUSED_STREAM
    }
    const accepted = this.#replace(boot)
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

  #replace(boot: Boot): RegistryStream {
    this.stop()
    const { owner, follower, clock, peerId, log, onAgree } = this.#options
    const exchange = new PeerExchange({
      owner,
      follower,
      peerId,
      peerBoot: boot,
      clock,
      onReady: () => stream.pump(),
      onAgree,
      onFault: ({ garbage }) =>
        log.warn('a replica sent invalid registry data', {
          detail: garbage > 0 ? 'it cannot be read' : 'it does not add up',
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

  /** A session can be at its limit of streams when the time comes. Then the channel waits once more. */
  #reopenIn(delayMs: number): void {
    const { clock, wanted } = this.#options
    if (!wanted()) return
    this.#reopen = clock.after(delayMs, () => {
      this.open()
      if (this.#stream === undefined) this.#reopenIn(REOPEN_MS)
    })
  }
}
