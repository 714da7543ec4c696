// Maintains one link to the replica at one address: it dials, and dials again after a loss, with full jitter. Each dial finds out
// which replica has the address. When it is this replica, or one with a link already, or one that refuses the link, the dialer
// waits longer before the next dial.
//
//   waiting ──timer──▶ dialling ──authenticated──▶ linked ──closed──▶ waiting        stop, from anywhere ─▶ stopped
//      ◀──failed, self, linked already─┘

import { Backoff } from '@vera-stack/shared/backoff.ts'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { Session } from '@vera-stack/shared/protocol/session.ts'
import type { Transport } from '@vera-stack/shared/protocol/transport.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { ReplicaId } from '../../common/ids/replica-id.ts'
import { dialPeer } from './dial-peer.ts'
import type { PeerIdentity, PeerTokens } from './peer-tokens.ts'

export interface DialerHost {
  readonly tokens: PeerTokens
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  /** Returns the id of the replica at an address, if known. */
  expected(address: string): ReplicaId | undefined
  /** Called when an attempt has failed. */
  failed(): void
  /** Creates a session, which calls `onClose` at its end. Returns a string with the reason when it wants no session. */
  join(
    peer: PeerIdentity,
    transport: Transport,
    onClose: (error: TunnelError) => void,
  ): Session | 'self' | 'linked' | 'outranked'
}

const BACKOFF = { baseMs: 100, capMs: 2000 }
/** Delay before an address that needs no link is dialled again, ms. */
const UNWANTED_MS = 10_000
/** Shortest delay after a refusal of our secret, our name or our version, ms. */
const REFUSED_MS = 5000
/** A link that was open for this time resets the back-off: the next loss starts with the shortest delay, ms. */
const HELD_MS = 5000

export class PeerDialer {
  readonly address: string
  readonly #host: DialerHost
  readonly #backoff: Backoff
  #peer: PeerIdentity | undefined
  #session: Session | undefined
  #giveUp: (() => void) | undefined
  #timer: Timer | undefined
  /** The error of the last dial or link; empty after a successful dial. */
  #problem = ''
  /** Time of the end of the last attempt, ms of the clock. */
  #triedAtMs = Number.NEGATIVE_INFINITY
  /** True when the error about another replica with our name was logged. */
  #replacedLogged = false
  #stopped = false

  constructor(address: string, host: DialerHost) {
    this.address = address
    this.#host = host
    this.#backoff = new Backoff({ ...BACKOFF, random: host.random })
    this.#dial()
  }

  /** The replica that the last successful dial found. */
  get peer(): PeerIdentity | undefined {
    return this.#peer
  }

  get linked(): boolean {
    return this.#session !== undefined
  }

  /** True when at least one attempt has ended. */
  get tried(): boolean {
    return this.#peer !== undefined || this.#problem !== ''
  }

  get problem(): string {
    return this.#problem
  }

  /** Returns true when there is a link, or when an attempt has ended since `sinceMs` of the clock. */
  triedSince(sinceMs: number): boolean {
    return this.#session !== undefined || this.#triedAtMs >= sinceMs
  }

  /** Dials now, without waiting for the back-off, because the state is outdated after a suspension. Keeps an open link. */
  dialNow(): void {
    if (this.#stopped || this.#session !== undefined) return
    this.#timer?.cancel()
    this.#giveUp?.()
    this.#backoff.reset()
    this.#dial()
  }

  /** Stops dialling. An open session stays, because the peer owns it. */
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
      this.#replacedLogged = false
    }
    // A local `replaced` means that we have a link to a newer incarnation of the far end. Then we dial that one soon.
    const replaced = error.reason === 'replaced' && error.remote
    if (replaced && !this.#stopped && !this.#replacedLogged) {
      this.#replacedLogged = true
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
