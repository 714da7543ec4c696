// One tunnel slot: performs the effects that tunnel-state.ts decides on. Owns the dial under way, the current
// session, the retired ones and the timer; asks its host for everything that tunnels share.

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
import type { Address, Place } from './addresses.ts'
import type { DialEvents } from './dial.ts'
import type { DialError } from './dial-error.ts'
import { displayUrl } from './plugboard-url.ts'
import { step, type TunnelEvent, type TunnelState } from './tunnel-state.ts'

export interface Announcement {
  readonly id: number
  readonly services: ServiceAnnouncement[]
}

/** What all tunnels of a Telephone share. */
export interface TunnelHost {
  readonly clock: Clock
  readonly random: () => number
  readonly identity: Identity
  readonly limits: Partial<SessionLimits>
  /** A new account for what one session holds. */
  newAccount(): HeldBytes
  /** How long a session that is let go may finish its streams, ms. */
  readonly drainTimeoutMs: number
  /** Where this tunnel should end. `avoid`: the place that it has just been asked to leave; `wanted`: a replica. */
  pick(tunnel: Tunnel, avoid: Place | undefined, wanted: string | undefined): Address
  /** Returns a way to give up. */
  dial(tunnel: Tunnel, address: Address, events: DialEvents): () => void
  /** True when the token to dial with is not the token of the tunnel's last dial. */
  hasNewToken(tunnel: Tunnel): boolean
  announcement(): Announcement
  onStream(stream: Stream, opening: Opening): StreamEvents
  onReady(tunnel: Tunnel): void
  /** The results to report. Undefined: they are void, because another announcement has been sent for them. */
  accept(results: Announced['results']): Announced['results'] | undefined
  onAnnounced(tunnel: Tunnel, announced: Announced): void
  onControl(tunnel: Tunnel, message: ControlMessage): void
  /** `replica`: the name of the one that has greeted there. */
  onDialed(address: Address, replica: string): void
  onDialFailed(tunnel: Tunnel, address: Address): void
  report(event: TelephoneEvent): void
}

/** First delays are short: most losses are one restart of one replica. */
const BACKOFF = { baseMs: 250, capMs: 15_000 }
/** After a refused credential: 30 s to a minute. */
const SLOW_MS = 30_000
/** A move is for balance alone: streams end by themselves. A day, since something has to end it. */
const MOVE_GRACE_MS = 86_400_000
/** For the Plugboard to judge an announcement. */
const ANNOUNCE_TIMEOUT_MS = 10_000

export class Tunnel {
  /** Counted from 1. */
  readonly number: number
  readonly #host: TunnelHost
  readonly #backoff: Backoff
  /** Sessions that are let go, and how long each may finish its streams, ms. */
  readonly #retired = new Map<Session, number>()
  readonly #ended = Promise.withResolvers<void>()
  #state: TunnelState = { kind: 'waiting' }
  #address: Address | undefined
  #giveUp: (() => void) | undefined
  #transport: Transport | undefined
  #session: Session | undefined
  #timer: Timer | undefined
  #graceMs = 0
  #avoid: Place | undefined
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

  get rttMs(): number | undefined {
    return this.#session?.rttMs
  }

  /** Name of the replica that the current session ends on, once it has greeted. */
  get replica(): string | undefined {
    return this.#session?.peer?.name
  }

  get url(): string | undefined {
    return this.#address && displayUrl(this.#address.url)
  }

  /** Where this tunnel ends or is about to. */
  get place(): Place | undefined {
    if (this.#address === undefined) return undefined
    return { href: this.#address.url.href, replicaId: this.replica ?? this.#address.replicaId }
  }

  start(): void {
    this.#apply({ kind: 'timer' })
  }

  /** Dials a better replica, then lets go of this one. */
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

  /** Sends a message when there is a session for it. */
  send(message: ControlMessage): boolean {
    if (this.#state.kind !== 'ready' || this.#session?.state !== 'open') return false
    return this.#session.sendControl(message)
  }

  /** Takes no new streams, finishes the open ones within `graceMs`, closes. */
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
            this.#session?.close('protocol_error', 'the announcement was not answered'),
          )
          break
        case 'wait':
          this.#wait(effect.pace, effect.atLeastMs)
          break
        case 'reset_backoff':
          this.#backoff.reset()
          break
        case 'retire':
          // An answer that it still owes is of no interest: the next announcement has a time of its own.
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
    if (transport === undefined || address === undefined) throw new Error('greeting nobody')
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

  /** The retired session takes streams until its replacement serves, or the replica itself drains it. */
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

  // What the next wait is for; told together with how long it is.
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
        // A session that drains already would take its own time.
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
