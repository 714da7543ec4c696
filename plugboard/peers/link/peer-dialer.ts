// Keeps one link to the replica behind one address: dials, dials again after it is lost, with full jitter. Who is
// there shows at each dial: ourselves, or somebody whom we reach under another address, are left alone for a while,
// and so is who wants nothing to do with us.
//
//   waiting ──timer──▶ dialling ──proved──▶ linked ──closed──▶ waiting        stop, from anywhere ─▶ stopped
//      ◀──failed, ourselves, known────┘

import { Backoff } from '@vera-stack/shared/backoff.ts'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { Session } from '@vera-stack/shared/protocol/session.ts'
import type { Transport } from '@vera-stack/shared/protocol/transport.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { ReplicaId } from '../../common/replica-id.ts'
import { dialPeer } from './dial-peer.ts'
import type { PeerIdentity, PeerTokens } from './peer-tokens.ts'

export interface DialerHost {
  readonly tokens: PeerTokens
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  /** Which replica lives behind an address, where that is known. */
  expected(address: string): ReplicaId | undefined
  /** An attempt has come to nothing. */
  failed(): void
  /** Makes a session, which ends with `onClose`; a string says why none is wanted. */
  join(
    peer: PeerIdentity,
    transport: Transport,
    onClose: (error: TunnelError) => void,
  ): Session | 'self' | 'linked' | 'outranked'
}

const BACKOFF = { baseMs: 100, capMs: 2000 }
/** Until an address that was not worth a link is looked at again, ms. */
const UNWANTED_MS = 10_000
/** Until somebody who did not accept our secret, our name or our version is asked again, ms. */
const REFUSED_MS = 5000
/** A link that held this long has proved the way good: the next loss starts from the shortest delay, ms. */
const HELD_MS = 5000

export class PeerDialer {
  readonly address: string
  readonly #host: DialerHost
  readonly #backoff: Backoff
  #peer: PeerIdentity | undefined
  #session: Session | undefined
  #giveUp: (() => void) | undefined
  #timer: Timer | undefined
  /** What went wrong last; empty while it works. */
  #problem = ''
  /** The end of the last attempt, in time of the clock. */
  #triedAtMs = Number.NEGATIVE_INFINITY
  /** It has been said that the far end knows another replica of our name. */
  #replacedTold = false
  #stopped = false

  constructor(address: string, host: DialerHost) {
    this.address = address
    this.#host = host
    this.#backoff = new Backoff({ ...BACKOFF, random: host.random })
    this.#dial()
  }

  /** Whom it found there last. */
  get peer(): PeerIdentity | undefined {
    return this.#peer
  }

  get linked(): boolean {
    return this.#session !== undefined
  }

  /** At least one attempt has come to its end. */
  get tried(): boolean {
    return this.#peer !== undefined || this.#problem !== ''
  }

  get problem(): string {
    return this.#problem
  }

  /** There is a link, or an attempt has come to its end since then, in time of the clock. */
  triedSince(sinceMs: number): boolean {
    return this.#session !== undefined || this.#triedAtMs >= sinceMs
  }

  /** Who was away knows nothing of who is there: whatever it was waiting for, it dials now. A link stays. */
  dialNow(): void {
    if (this.#stopped || this.#session !== undefined) return
    this.#timer?.cancel()
    this.#giveUp?.()
    this.#backoff.reset()
    this.#dial()
  }

  /** No new dial; a session that is open is not its to close. */
  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#giveUp?.()
  }

  #dial(): void {
    const { tokens, log, clock } = this.#host
    this.#giveUp = dialPeer(this.address, this.#host.expected(this.address), tokens, clock, {
      onOpen: (peer, transport) => {
        this.#giveUp = undefined
        this.#triedAtMs = this.#host.clock.now()
        this.#opened(peer, transport)
      },
      onFailure: (detail, refused) => {
        this.#giveUp = undefined
        this.#triedAtMs = this.#host.clock.now()
        const level = this.#problem === detail ? 'debug' : 'warn'
        this.#problem = detail
        log[level]('replica not reached', { address: this.address, detail })
        this.#host.failed()
        this.#again(this.#backoff.next(refused ? REFUSED_MS : 0))
      },
    })
  }

  #opened(peer: PeerIdentity, transport: Transport): void {
    this.#peer = peer
    this.#problem = ''
    const openedMs = this.#host.clock.now()
    const joined = this.#host.join(peer, transport, error => this.#closed(error, openedMs))
    if (typeof joined === 'string') {
      transport.terminate()
      this.#again(UNWANTED_MS)
      return
    }
    this.#session = joined
  }

  #closed(error: TunnelError, openedMs: number): void {
    const { clock, log } = this.#host
    this.#session = undefined
    if (clock.now() - openedMs >= HELD_MS) {
      this.#backoff.reset()
      this.#replacedTold = false
    }
    // Locally: we have met a newer start of the far end, and want a link to that one.
    const replaced = error.reason === 'replaced' && error.remote
    if (replaced && !this.#stopped && !this.#replacedTold) {
      this.#replacedTold = true
      log.error('another replica uses the name of this one; give each replica its own name', {
        address: this.address,
      })
    }
    const refused = replaced || error.reason === 'unauthorized' || error.reason === 'unsupported_version'
    if (refused) this.#problem = error.message
    this.#again(this.#backoff.next(refused ? REFUSED_MS : 0))
  }

  #again(delayMs: number): void {
    if (!this.#stopped) this.#timer = this.#host.clock.after(delayMs, () => this.#dial())
  }
}
