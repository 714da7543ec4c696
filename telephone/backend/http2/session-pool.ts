// The HTTP/2 connections to one backend. Requests share the oldest one that has room, so that the younger ones fall
// idle and are closed; a new one is made when all are at their limit of streams, up to `maxConnections`; beyond that
// requests wait in a bounded queue, and so do those of a client that holds its share of the streams. Knows sessions by
// their life only, not what is said on them.
//
// A slow upload takes a stream at once, unlike over HTTP/1 (backend/http1/pool.ts): it takes no connection from the others, and
// many calls of gRPC send a little and then wait for a response.

import { ClientShares, shareOf } from '@vera-stack/shared/client-shares.ts'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { exhausted, unreachable } from '../backend-failure.ts'
import type { Connector } from '../connector.ts'
import { DEFAULT_WAIT_LIMITS, type Waiting, type WaitLimits, WaitQueue } from '../wait-queue.ts'
import { Session, type SessionOwner } from './session.ts'

/** `maxWaitMs`: at least as long as connecting may take. */
export interface SessionPoolOptions extends WaitLimits {
  /** Connections at once; those that only finish their last streams no longer count, up to `maxDetached`. */
  readonly maxConnections: number
  readonly maxDetached: number
  /** Connections without a stream are closed after this, ms. 0: at once. */
  readonly keepAliveMs: number
  /** For connection, TLS and the backend's SETTINGS together. */
  readonly connectTimeoutMs: number
}

/**
 * 64 connections at the usual limit of 100 streams are more than a tunnel has. HTTP/2 servers close idle connections
 * after minutes, and say so with a GOAWAY: no need to be quick.
 */
export const HTTP2_MAX_CONNECTIONS = 64

const DEFAULT_OPTIONS: SessionPoolOptions = {
  ...DEFAULT_WAIT_LIMITS,
  maxConnections: HTTP2_MAX_CONNECTIONS,
  maxDetached: Number.POSITIVE_INFINITY,
  maxWaiting: 4096,
  keepAliveMs: 60_000,
  connectTimeoutMs: 5000,
}

/** A request that wants to open a stream; gets exactly one of the two calls, perhaps before `acquire` returns. */
export interface SessionWaiter extends Waiting {
  /** It has room for one stream, which is to be opened at once. */
  onSession(session: Session): void
}

/**
 * The connection that a request needs. `fresh`: one that has not been idle, because an idle one was found dead. `own`: one
 * that carries no other request, because this request authenticates the connection.
 */
export type SessionNeed = 'any' | 'fresh' | 'own'

/** Until the first SETTINGS has come: how many requests to expect on one connection (RFC 9113 section 6.5.2). */
const USUAL_CAPACITY = 100
const LIVENESS_MS = 2500

export class SessionPool implements SessionOwner {
  readonly #connector: Connector
  readonly #secure: boolean
  readonly #clock: Clock
  readonly #options: SessionPoolOptions
  /** Open ones, oldest first. */
  readonly #sessions: Session[] = []
  readonly #connecting = new Set<Session>()
  /** Those that carry one request only: first connecting, with the request, then open. */
  readonly #connectingOwn = new Map<Session, SessionWaiter>()
  readonly #own = new Set<Session>()
  /** Those that finish their last streams. */
  readonly #draining = new Set<Session>()
  readonly #queue: WaitQueue<SessionWaiter>
  /** Of the streams on open connections. */
  readonly #shares: ClientShares
  #capacity = USUAL_CAPACITY
  #watchTimer: Timer | undefined
  #closed = false

  constructor(
    connector: Connector,
    secure: boolean,
    clock: Clock,
    options: Partial<SessionPoolOptions> = {},
  ) {
    this.#connector = connector
    this.#secure = secure
    this.#clock = clock
    const merged = { ...DEFAULT_OPTIONS, ...options }
    this.#options = { ...merged, maxWaitMs: Math.max(merged.maxWaitMs, merged.connectTimeoutMs) }
    this.#shares = new ClientShares(this.#options.clientSharePercent, () =>
      [...this.#sessions, ...this.#own].flatMap(session => session.clients),
    )
    this.#queue = new WaitQueue(clock, this.#options, client => this.#mayTake(client))
  }

  /** Connections that take streams or may soon. */
  get size(): number {
    return this.#sessions.length + this.#connecting.size + this.#connectingOwn.size + this.#own.size
  }

  acquire(waiter: SessionWaiter, need: SessionNeed = 'any'): void {
    if (need === 'own') {
      this.#connectOwn(waiter)
      return
    }
    if (need === 'fresh') this.#drainIdle(() => true)
    const isFirst = this.#mayTake(waiter.client) && !this.#queue.hasTurn
    const session = isFirst ? this.#sessions.find(one => one.hasRoom) : undefined
    if (session !== undefined) {
      waiter.onSession(session)
      this.#watch()
    } else if (this.#closed) {
      waiter.onNoConnection(new TunnelError('draining', { detail: 'the pool is closed' }))
    } else if (this.#queue.add(waiter)) {
      this.#connectForQueue()
    }
  }

  /** The waiter no longer wants a stream. */
  cancel(waiter: SessionWaiter): void {
    if (this.#queue.remove(waiter)) return
    for (const [session, owner] of this.#connectingOwn) {
      if (owner !== waiter) continue
      this.#connectingOwn.delete(session)
      session.destroy()
      return
    }
  }

  /** Closes idle connections now and the others as their streams end; waiting requests are refused. */
  close(): void {
    this.#closed = true
    this.#watchTimer?.cancel()
    this.#watchTimer = undefined
    for (const session of this.#connecting) session.destroy()
    this.#connecting.clear()
    const draining = new TunnelError('draining', { detail: 'the pool is closed' })
    for (const [session, waiter] of [...this.#connectingOwn]) {
      this.#connectingOwn.delete(session)
      session.destroy()
      waiter.onNoConnection(draining)
    }
    for (const session of [...this.#sessions]) session.drain()
    this.#queue.close(new TunnelError('draining'))
    this.#watch()
  }

  // What sessions report.

  onReady(session: Session): void {
    const waiter = this.#connectingOwn.get(session)
    if (waiter !== undefined) {
      this.#giveOwn(session, waiter)
      return
    }
    this.#connecting.delete(session)
    this.#sessions.push(session)
    this.#capacity = session.capacity
    this.#serveQueue()
    this.#watch()
    this.#drainIfUnused(session)
  }

  onConnectFailed(session: Session, error: TunnelError): void {
    const waiter = this.#connectingOwn.get(session)
    if (waiter !== undefined) {
      this.#connectingOwn.delete(session)
      waiter.onNoConnection(error)
      return
    }
    this.#connecting.delete(session)
    // While others live, those who wait may still get their turn on them; without, each of them would try in vain.
    if (this.size === 0) this.#queue.refuseAll(error)
  }

  onStreamOpened(client: string): void {
    this.#shares.add(client)
  }

  onStreamEnded(client: string): void {
    this.#shares.remove(client)
  }

  onRoom(session: Session): void {
    if (this.#own.has(session)) {
      if (session.streams === 0) session.drain()
      return
    }
    this.#capacity = session.capacity
    this.#serveQueue()
    this.#drainIfUnused(session)
  }

  onDraining(session: Session): void {
    if (this.#own.delete(session)) {
      this.#forgetStreams(session)
      this.#draining.add(session)
      return
    }
    const index = this.#sessions.indexOf(session)
    if (index !== -1) this.#removeSession(index)
    this.#draining.add(session)
    this.#replace(session)
  }

  onClosed(session: Session): void {
    if (this.#own.delete(session)) {
      this.#forgetStreams(session)
      this.#connectForQueue()
    }
    if (this.#draining.delete(session)) this.#connectForQueue()
    const index = this.#sessions.indexOf(session)
    if (index === -1) return
    this.#removeSession(index)
    this.#replace(session)
  }

  #removeSession(index: number): void {
    const [session] = this.#sessions.splice(index, 1)
    if (session !== undefined) this.#forgetStreams(session)
  }

  /** Its streams no longer count: they hold no room that a new one could have. */
  #forgetStreams(session: Session): void {
    for (const client of session.clients) this.#shares.remove(client)
  }

  #mayTake(client: string): boolean {
    return this.#shares.allows(client, this.#options.maxConnections * Math.max(1, this.#capacity))
  }

  /** One that was given up before it carried anything is as good as none: it is not dialled again and again. */
  #replace(session: Session): void {
    if (session.opened > 0) this.#serveQueue()
    else if (this.size === 0) {
      const detail = `Backend ${this.#connector.backend} closes its connections before it accepts a request.`
      this.#queue.refuseAll(unreachable('connect_failed', detail))
    }
  }

  #serveQueue(): void {
    for (;;) {
      const session = this.#queue.size > 0 ? this.#sessions.find(one => one.hasRoom) : undefined
      const waiter = session === undefined ? undefined : this.#queue.next()
      if (session === undefined || waiter === undefined) break
      waiter.onSession(session)
    }
    this.#connectForQueue()
  }

  /** As many connections more as those who wait would fill. */
  #connectForQueue(): void {
    if (this.#closed) return
    const each = Math.max(1, this.#capacity)
    while (this.#queue.size > this.#connecting.size * each && this.#mayConnect && this.#queue.hasTurn) {
      // A backend that takes no streams now takes none on more connections.
      if (this.#capacity === 0 && this.size > 0) return
      this.#connecting.add(this.#newSession())
    }
  }

  /** A connection for one request: it takes no further one, and closes with it. */
  #connectOwn(waiter: SessionWaiter): void {
    if (this.#closed) {
      waiter.onNoConnection(new TunnelError('draining', { detail: 'the pool is closed' }))
    } else if (!this.#mayHaveOwn(waiter.client)) {
      const detail = 'the client has its share of the connections, of which each of its requests needs one'
      waiter.onNoConnection(new TunnelError('client_share', { detail }))
    } else if (this.#mayConnect) {
      this.#connectingOwn.set(this.#newSession(), waiter)
    } else {
      waiter.onNoConnection(
        exhausted('All connections are in use, and an authenticated request needs one of its own.'),
      )
    }
  }

  /** True while the client holds less than its share of all connections as its own ones. */
  #mayHaveOwn(client: string): boolean {
    const { maxConnections, clientSharePercent } = this.#options
    if (client === '') return true
    const connecting = [...this.#connectingOwn.values()].filter(waiter => waiter.client === client)
    const open = [...this.#own].filter(session => session.clients.includes(client))
    return connecting.length + open.length < shareOf(maxConnections, clientSharePercent)
  }

  #giveOwn(session: Session, waiter: SessionWaiter): void {
    this.#connectingOwn.delete(session)
    this.#own.add(session)
    if (session.hasRoom) waiter.onSession(session)
    else waiter.onNoConnection(exhausted('The backend accepts no streams on a new connection.'))
    // Its stream could not be opened.
    if (session.streams === 0) session.drain()
    this.#watch()
  }

  #newSession(): Session {
    const { connectTimeoutMs } = this.#options
    return new Session({
      connector: this.#connector,
      owner: this,
      clock: this.#clock,
      connectTimeoutMs,
      secure: this.#secure,
    })
  }

  get #mayConnect(): boolean {
    const { maxConnections, maxDetached } = this.#options
    return this.size + Math.max(0, this.#draining.size - maxDetached) < maxConnections
  }

  #drainIfUnused(session: Session): void {
    if (this.#options.keepAliveMs <= 0 && session.streams === 0) session.drain()
  }

  #drainIdle(isDue: (session: Session) => boolean): void {
    for (const session of [...this.#sessions]) {
      if (session.streams === 0 && isDue(session)) session.drain()
    }
  }

  /** Runs while there is a connection: closes idle ones, and notices those that are dead. */
  #watch(): void {
    if (this.#sessions.length + this.#draining.size + this.#own.size === 0) return
    this.#watchTimer ??= this.#clock.after(LIVENESS_MS, () => {
      this.#watchTimer = undefined
      const now = this.#clock.now()
      this.#drainIdle(session => now - session.idleSince >= this.#options.keepAliveMs)
      const all = [...this.#sessions, ...this.#draining, ...this.#own]
      for (const session of all) session.checkLiveness()
      this.#watch()
    })
  }
}
