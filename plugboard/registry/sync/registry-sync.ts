// The exchange of lines between two replicas over one link, in both directions. The caller pulls messages while the link has
// room, and passes received messages in. It does no I/O and has no queue. It works over any link that keeps messages complete,
// and recovers from lost, repeated and reordered messages, although a link should not cause them.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { ReplicaId } from '../../common/ids/replica-id.ts'
import type { Incarnation } from '../incarnation.ts'
import { MalformedError } from '../wire/malformed.ts'
import { decodeRegistryMessage } from '../wire/message.ts'
import type { RegistryFollower } from './registry-follower.ts'
import type { RegistryOwner } from './registry-owner.ts'
import { type ExchangeFaults, SyncReceiver } from './sync-receiver.ts'
import { SyncSender } from './sync-sender.ts'

/** Time between summaries while the peer has not agreed with the last one, ms. */
const SUMMARY_INTERVAL_MS = 1000
/** After an agreement, a summary is sent only once in this many intervals, to detect hidden errors. */
const QUIET_INTERVALS = 15
/** Shortest time between summaries that follow a request of the peer, ms. Such a summary gets the peer's confirmation. */
const PROMPT_SUMMARY_MS = 200

export interface PeerExchangeOptions {
  readonly owner: RegistryOwner
  readonly follower: RegistryFollower
  /** The peer that the link has authenticated. It can write only its own lines. */
  readonly peerId: ReplicaId
  /** Its incarnation on this link. A link to another incarnation needs another exchange. */
  readonly peerIncarnation: Incarnation
  readonly clock: Clock
  /** Called when there is a message to pull again after `pull` returned undefined. The first pull needs no call. */
  readonly onReady: () => void
  /** Called when we have all the peer's lines, and again after each time that a line was missing. */
  readonly onAgree?: () => void
  /** Called once, at the first fault that cannot occur on a reliable link between correct replicas. */
  readonly onFault?: (faults: Readonly<ExchangeFaults>) => void
}

export class RegistrySync {
  readonly peerId: ReplicaId
  readonly #outgoing: SyncSender
  readonly #incoming: SyncReceiver
  readonly #incarnations: { readonly sender: Incarnation; readonly own: Incarnation }
  readonly #clock: Clock
  readonly #onReady: () => void
  readonly #onAgree: () => void
  readonly #onFault: (faults: Readonly<ExchangeFaults>) => void
  readonly #unsubscribe: () => void
  #timer: Timer
  #quietIntervals = 0
  #lastPromptMs = Number.NEGATIVE_INFINITY
  /** True when `onReady` was called, or before the first pull. */
  #announced = true
  #faultReported = false
  #closed = false

  constructor(options: PeerExchangeOptions) {
    const { owner, follower, peerId, peerIncarnation: peerBoot, clock } = options
    this.#incarnations = { sender: peerBoot, own: owner.incarnation }
    this.peerId = peerId
    this.#clock = clock
    this.#onReady = options.onReady
    this.#onAgree = options.onAgree ?? (() => undefined)
    this.#onFault = options.onFault ?? (() => undefined)
    this.#outgoing = new SyncSender(owner)
    this.#incoming = new SyncReceiver(follower, peerId, peerBoot, clock)
    this.#unsubscribe = owner.subscribe(changed => {
      this.#outgoing.changed(changed)
      this.#announce()
    })
    this.#timer = clock.after(SUMMARY_INTERVAL_MS, () => this.#tick())
  }

  /** True when the peer has confirmed that it has all our lines. */
  get peerAgrees(): boolean {
    return this.#outgoing.agreed
  }

  /** True when we have all the peer's lines, by its last summary. False before the first summary. */
  get agrees(): boolean {
    return this.#incoming.agrees
  }

  get faults(): Readonly<ExchangeFaults> {
    return this.#incoming.faults
  }

  /** Returns the next message, at most MESSAGE_BYTES long; undefined when there is no message to send now. */
  pull(): Uint8Array | undefined {
    if (this.#closed) return undefined
    const message = this.#incoming.pull() ?? this.#outgoing.pull()
    this.#announced = message !== undefined
    return message
  }

  /** Processes a message of the peer. A malformed message is counted in `faults` and has no other effect. */
  receive(bytes: Uint8Array): void {
    if (this.#closed) return
    const agreed = this.agrees
    try {
      this.#take(bytes)
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error
      this.#incoming.faults.garbage += 1
    }
    this.#announce()
    if (!this.#faultReported && this.faults.garbage + this.faults.mismatches > 0) {
      this.#faultReported = true
      this.#onFault(this.faults)
    }
    if (!agreed && this.agrees) this.#onAgree()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#incoming.close()
    this.#timer.cancel()
    this.#unsubscribe()
  }

  #take(bytes: Uint8Array): void {
    const message = decodeRegistryMessage(bytes, this.#incarnations)
    if (message === undefined) return
    if (message.kind !== 'wants') {
      this.#incoming.receive(message)
      return
    }
    this.#outgoing.receive(message)
    const nowMs = this.#clock.now()
    if (message.wants.length === 0 || nowMs - this.#lastPromptMs < PROMPT_SUMMARY_MS) return
    this.#lastPromptMs = nowMs
    this.#outgoing.askForAgreement()
  }

  #tick(): void {
    this.#timer = this.#clock.after(SUMMARY_INTERVAL_MS, () => this.#tick())
    this.#quietIntervals = this.#outgoing.agreed ? this.#quietIntervals + 1 : QUIET_INTERVALS
    if (this.#quietIntervals < QUIET_INTERVALS) return
    this.#quietIntervals = 0
    this.#outgoing.askForAgreement()
    this.#announce()
  }

  #announce(): void {
    if (this.#announced || this.#closed) return
    if (!this.#incoming.ready && !this.#outgoing.ready) return
    this.#announced = true
    this.#onReady()
  }
}
