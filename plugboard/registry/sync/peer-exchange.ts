// What two replicas tell each other about their lines over one link: our lines out, the peer's lines in. Pull
// from it while the link has room, give it what arrives; it starts no I/O and keeps no queue. It works over any
// link that keeps messages whole, and mends loss, repetition and disorder, though a link should have none.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { ReplicaId } from '../../common/replica-id.ts'
import type { Boot } from '../boot.ts'
import { MalformedError } from '../wire/malformed.ts'
import { decodeMessage } from '../wire/message.ts'
import { type ExchangeFaults, IncomingLines } from './incoming-lines.ts'
import { OutgoingLines } from './outgoing-lines.ts'
import type { RegistryFollower } from './registry-follower.ts'
import type { RegistryOwner } from './registry-owner.ts'

/** Time between summaries while the peer has not agreed with the last one, ms. */
const SUMMARY_INTERVAL_MS = 1000
/** Once it has, one in this many: against errors that neither of us can see. */
const QUIET_INTERVALS = 15
/** A want is followed by a summary, to hear that all has arrived; no more often than this, ms. */
const PROMPT_SUMMARY_MS = 200

export interface PeerExchangeOptions {
  readonly owner: RegistryOwner
  readonly follower: RegistryFollower
  /** The peer, as the link has authenticated it: it can write lines of this replica and of no other. */
  readonly peerId: ReplicaId
  /** Its boot, as it said when the link was made. A link to another run of it needs another exchange. */
  readonly peerBoot: Boot
  readonly clock: Clock
  /** There is something to pull again, after `pull` had returned undefined. The first pull needs no call. */
  readonly onReady: () => void
  /** We have all the peer's lines now; again after each time that something was missing. */
  readonly onAgree?: () => void
  /** The first time that something came which cannot come over an orderly link between sound replicas. */
  readonly onFault?: (faults: Readonly<ExchangeFaults>) => void
}

export class PeerExchange {
  readonly peerId: ReplicaId
  readonly #outgoing: OutgoingLines
  readonly #incoming: IncomingLines
  readonly #boots: { readonly sender: Boot; readonly own: Boot }
  readonly #clock: Clock
  readonly #onReady: () => void
  readonly #onAgree: () => void
  readonly #onFault: (faults: Readonly<ExchangeFaults>) => void
  readonly #unsubscribe: () => void
  #timer: Timer
  #quietIntervals = 0
  #lastPromptMs = Number.NEGATIVE_INFINITY
  /** `onReady` was called, or the first pull is still to come. */
  #announced = true
  #faultTold = false
  #closed = false

  constructor(options: PeerExchangeOptions) {
    const { owner, follower, peerId, peerBoot, clock } = options
    this.#boots = { sender: peerBoot, own: owner.boot }
    this.peerId = peerId
    this.#clock = clock
    this.#onReady = options.onReady
    this.#onAgree = options.onAgree ?? (() => undefined)
    this.#onFault = options.onFault ?? (() => undefined)
    this.#outgoing = new OutgoingLines(owner)
    this.#incoming = new IncomingLines(follower, peerId, peerBoot, clock)
    this.#unsubscribe = owner.subscribe(changed => {
      this.#outgoing.changed(changed)
      this.#announce()
    })
    this.#timer = clock.after(SUMMARY_INTERVAL_MS, () => this.#tick())
  }

  /** The peer has said that it has all our lines. */
  get peerAgrees(): boolean {
    return this.#outgoing.agreed
  }

  /** We have all the peer's lines, by its last summary. False before the first. */
  get agrees(): boolean {
    return this.#incoming.agrees
  }

  get faults(): Readonly<ExchangeFaults> {
    return this.#incoming.faults
  }

  /** The next message, at most MESSAGE_BYTES long, or undefined when there is none for now. */
  pull(): Uint8Array | undefined {
    if (this.#closed) return undefined
    const message = this.#incoming.pull() ?? this.#outgoing.pull()
    this.#announced = message !== undefined
    return message
  }

  /** A message from the peer. What cannot be read is counted and changes nothing; the link may judge by that. */
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
    if (!this.#faultTold && this.faults.garbage + this.faults.mismatches > 0) {
      this.#faultTold = true
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
    const message = decodeMessage(bytes, this.#boots)
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
