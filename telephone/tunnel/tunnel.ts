// One tunnel slot: performs the effects that tunnel-state.ts returns. Owns the dial in progress, the current session, the
// retired sessions and the timer. The host provides the parts that all tunnels share.

import { Backoff } from '@vera-stack/shared/backoff.ts'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type {
  Announced,
  ControlMessage,
  ServiceAnnouncement,
} from '@vera-stack/shared/protocol/control/control.ts'
import { type Identity, Session, type SessionLimits } from '@vera-stack/shared/protocol/session.ts'
import type { HeldBytes } from '@vera-stack/shared/protocol/streams/held-bytes.ts'
import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { Transport } from '@vera-stack/shared/protocol/transport.ts'
import { REASONS, type TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { TelephoneEvent } from '../events.ts'
import type { Address, PlugboardAddress } from './addresses.ts'
import type { DialEvents } from './dial.ts'
import type { DialError } from './dial-error.ts'
import { displayUrl } from './plugboard-url.ts'
import { step, type TunnelEvent, type TunnelState } from './tunnel-state.ts'

export interface Announcement {
  readonly id: number
  readonly services: ServiceAnnouncement[]
}

/** The parts that all tunnels of a Telephone share. */
export interface TunnelHost {
  readonly clock: Clock
  readonly random: () => number
  readonly identity: Identity
  readonly limits: Partial<SessionLimits>
  /** Creates the account of held bytes for one session. */
  newAccount(): HeldBytes
  /** Time for which a replaced session may finish its streams, ms. */
  readonly drainTimeoutMs: number
  /** Picks an address for this tunnel. `avoid`: the place that the tunnel has to leave. `wanted`: a preferred replica. */
  pick(tunnel: Tunnel, avoid: PlugboardAddress | undefined, wanted: string | undefined): Address
  /** Dials. Returns a function that cancels the dial. */
  dial(tunnel: Tunnel, address: Address, events: DialEvents): () => void
  /** Returns true when the next dial uses another token than the tunnel's last dial. */
  hasNewToken(tunnel: Tunnel): boolean
  announcement(): Announcement
  onStream(stream: Stream, opening: Opening): StreamEvents
  onReady(tunnel: Tunnel): void
  /** Returns the results to report. Undefined: another announcement replaces these results. */
  accept(results: Announced['results']): Announced['results'] | undefined
  onAnnounced(tunnel: Tunnel, announced: Announced): void
  onControl(tunnel: Tunnel, message: ControlMessage): void
  /** `replica`: the name in the hello at this address. */
  onDialed(address: Address, replica: string): void
  onDialFailed(tunnel: Tunnel, address: Address): void
  report(event: TelephoneEvent): void
}

/** First delays are short: most losses are one restart of one replica. */
const BACKOFF = { baseMs: 250, capMs: 15_000 }
/** Delays after a refused credential: 30 s to a minute. */
const SLOW_MS = 30_000
/** A move only balances the load, so the streams may end by themselves. One day is the upper limit. */
const MOVE_GRACE_MS = 86_400_000
/** Time limit for the Plugboard's response to an announcement. */
const ANNOUNCE_TIMEOUT_MS = 10_000

export class Tunnel {
  /** Counted from 1. */
  readonly number: number
  readonly #host: TunnelHost
  readonly #backoff: Backoff
  /** Retired sessions, and the time for which each one may finish its streams, ms. */
  readonly #retired = new Map<Session, number>()
  readonly #ended = Promise.withResolvers<void>()
  #state: TunnelState = { kind: 'waiting' }
  #address: Address | undefined
  #giveUp: (() => void) | undefined
  #transport: Transport | undefined
  #session: Session | undefined
  #timer: Timer | undefined
  #graceMs = 0
  #avoid: PlugboardAddress | undefined
  #wanted: string | undefined
  #retireMs = 0

  constructor(number: number, host: TunnelHost) {
    this.number = number
    this.#host = host
    this.#backoff = new Backoff({ ...BACKOFF, random: host.random })
  }

  get state(): TunnelState['kind'] {
    return this.#state.kind
  }

  /** Open streams of the current session and of the replaced ones. */
  get streamCount(): number {
    let count = this.#session?.streamCount ?? 0
    for (const session of this.#retired.keys()) count += session.streamCount
    return count
  }

  get rttMs(): number | undefined {
    return this.#session?.rttMs
  }

  /** Name of the replica of the current session, from its hello. */
  get replica(): string | undefined {
    return this.#session?.peer?.name
  }

  get url(): string | undefined {
    return this.#address && displayUrl(this.#address.url)
  }

  /** The place where this tunnel ends or will end. */
  get place(): PlugboardAddress | undefined {
    if (this.#address === undefined) return undefined
    return { href: this.#address.url.href, replicaId: this.replica ?? this.#address.replicaId }
  }

  start(): void {
    this.#apply({ kind: 'timer' })
  }

  /** Dials a better replica, then drains the session on this one. */
  move(): void {
    if (this.#state.kind !== 'ready') return
    this.#reportReplaced('another replica has no tunnel yet')
    this.#retireMs = MOVE_GRACE_MS
    this.#apply({ kind: 'move' })
  }

  /** Sends the current set of services again. */
  announce(): void {
    if (this.#state.kind === 'ready' || this.#state.kind === 'announcing') this.#sendAnnouncement()
  }

  /** Sends a message when a session is open. */
  send(message: ControlMessage): boolean {
    if (this.#state.kind !== 'ready' || this.#session?.state !== 'open') return false
    return this.#session.sendControl(message)
  }

  /** Refuses new streams, finishes open streams within `graceMs`, then closes. */
  stop(graceMs: number): Promise<void> {
    this.#graceMs = graceMs
    this.#apply({ kind: 'stop' })
    return this.#ended.promise
  }

  #apply(event: TunnelEvent): void {
    const { state, effects } = step(this.#state, event)
    this.#state = state
    for (const effect of effects) {
      switch (effect.kind) {
        case 'dial':
          this.#dial()
          break
        case 'greet':
          this.#greet()
          break
        case 'announce':
          this.#sendAnnouncement()
          this.#timer = this.#host.clock.after(ANNOUNCE_TIMEOUT_MS, () =>
            this.#session?.close('protocol_error', 'the announcement got no response'),
          )
          break
        case 'wait':
          this.#wait(effect.pace, effect.atLeastMs)
          break
        case 'reset_backoff':
          this.#backoff.reset()
          break
        case 'retire':
          // A missing response no longer matters, because the next announcement has its own time limit.
          this.#timer?.cancel()
          this.#avoid = this.place
          if (this.#session !== undefined) this.#retired.set(this.#session, this.#retireMs)
          this.#session = undefined
          break
        case 'drain_retired':
          this.#avoid = undefined
          this.#wanted = undefined
          for (const [session, graceMs] of this.#retired) void session.drain(graceMs)
          break
        case 'end':
          void this.#end()
          break
        default:
          effect satisfies never
      }
    }
  }

  #dial(): void {
    const address = this.#host.pick(this, this.#avoid, this.#wanted)
    this.#address = address
    const url = displayUrl(address.url)
    this.#host.report({ kind: 'dialing', tunnel: this.number, url })
    this.#giveUp = this.#host.dial(this, address, {
      onOpen: transport => {
        this.#giveUp = undefined
        this.#transport = transport
        this.#apply({ kind: 'dialed' })
      },
      onFailure: error => {
        this.#giveUp = undefined
        this.#failure = { url, error }
        this.#host.onDialFailed(this, address)
        const { unauthorized, retryAfterMs } = error
        this.#apply({ kind: 'dial_failed', unauthorized, retryAfterMs })
      },
    })
  }

  #greet(): void {
    const transport = this.#transport
    const address = this.#address
    if (transport === undefined || address === undefined)
      throw new Error('a session was started without a connection')
    this.#transport = undefined
    const { identity, limits, clock } = this.#host
    const session: Session = new Session({
      transport,
      role: 'dialer',
      identity,
      limits,
      clock,
      held: this.#host.newAccount(),
      events: {
        onReady: hello => {
          this.#host.onDialed(address, hello.name)
          if (session === this.#session) this.#apply({ kind: 'greeted' })
        },
        onStream: (stream, opening) => this.#host.onStream(stream, opening),
        onControl: message => this.#onControl(session, message),
        onPeerDrain: () => {
          if (session !== this.#session || this.#state.kind === 'stopped') return
          this.#reportReplaced('the replica is draining')
          this.#retireMs = this.#host.drainTimeoutMs
          this.#apply({ kind: 'peer_drain' })
        },
        onClose: error => this.#onClose(session, error),
      },
    })
    this.#session = session
  }

  #onControl(session: Session, message: ControlMessage): void {
    if (message.type === 'move') {
      this.#moveAsked(session, message)
      return
    }
    if (message.type !== 'announced' || session !== this.#session) {
      this.#host.onControl(this, message)
      return
    }
    if (message.id !== this.#host.announcement().id) return
    const results = this.#host.accept(message.results)
    if (results === undefined) return
    this.#timer?.cancel()
    const first = this.#state.kind === 'announcing'
    this.#apply({ kind: 'announced', nowMs: this.#host.clock.now() })
    if (first) {
      this.#host.report({
        kind: 'tunnel_ready',
        tunnel: this.number,
        url: this.url ?? '',
        replica: this.replica ?? '',
        agent: session.peer?.agent ?? '',
      })
    }
    this.#host.report({ kind: 'announced', tunnel: this.number, results })
    this.#host.onAnnounced(this, { ...message, results })
    if (first) this.#host.onReady(this)
  }

  /** Retires the session. It accepts streams until its replacement serves or the replica drains it. */
  #moveAsked(session: Session, { why, to }: Extract<ControlMessage, { type: 'move' }>): void {
    if (session !== this.#session || this.#state.kind === 'stopped') return
    if (why === 'balance' && this.#state.kind !== 'ready') return
    this.#wanted = to
    this.#reportReplaced(
      why === 'leaving' ? 'the replica is about to stop' : 'another replica has fewer tunnels',
    )
    this.#retireMs = why === 'leaving' ? this.#host.drainTimeoutMs : MOVE_GRACE_MS
    this.#apply({ kind: why === 'leaving' ? 'peer_drain' : 'move' })
  }

  #onClose(session: Session, error: TunnelError): void {
    if (this.#retired.delete(session)) return
    if (session !== this.#session) return
    this.#session = undefined
    this.#timer?.cancel()
    this.#loss = { url: this.url ?? '', error }
    const { reason } = error
    const newToken = this.#host.hasNewToken(this)
    this.#apply({ kind: 'lost', reason, nowMs: this.#host.clock.now(), newToken })
  }

  #sendAnnouncement(): void {
    const { id, services } = this.#host.announcement()
    if (this.#session?.sendControl({ type: 'announce', id, services }) !== false) return
    this.#session.close('payload_too_large', 'the announcement does not fit in a frame of this Plugboard')
  }

  // The reason of the next wait. It is reported together with the delay.
  #failure: { url: string; error: DialError } | undefined
  #loss: { url: string; error: TunnelError } | undefined

  #wait(pace: 'backoff' | 'slow', atLeastMs: number): void {
    const retryInMs =
      pace === 'slow'
        ? Math.max(SLOW_MS + Math.round(this.#host.random() * SLOW_MS), atLeastMs)
        : this.#backoff.next(atLeastMs)
    this.#timer = this.#host.clock.after(retryInMs, () => this.#apply({ kind: 'timer' }))
    const tunnel = this.number
    const failure = this.#failure
    const loss = this.#loss
    this.#failure = undefined
    this.#loss = undefined
    if (failure !== undefined) this.#host.report({ kind: 'dial_failed', tunnel, ...failure, retryInMs })
    if (loss !== undefined) {
      const { reason } = loss.error
      const detail = loss.error.detail || REASONS[reason].meaning
      const permanent = pace === 'slow' && reason !== 'replaced'
      this.#host.report({ kind: 'tunnel_lost', tunnel, url: loss.url, reason, detail, permanent, retryInMs })
    }
  }

  async #end(): Promise<void> {
    this.#timer?.cancel()
    this.#giveUp?.()
    const sessions = [...this.#retired.keys(), ...(this.#session === undefined ? [] : [this.#session])]
    await Promise.all(
      sessions.map(session => {
        const closed = session.drain(this.#graceMs)
        // A session that already drains would otherwise use its own time limit.
        if (this.#graceMs === 0) session.close('going_away', 'stopped')
        return closed
      }),
    )
    this.#ended.resolve()
  }

  #reportReplaced(why: string): void {
    this.#host.report({ kind: 'tunnel_replaced', tunnel: this.number, url: this.url ?? '', why })
  }
}
