// The HTTP/2 connections to one backend. Requests use the oldest connection that has room, so that the younger ones
// become idle and are closed. When all connections are at their limit of streams, the pool opens a new one, up to
// `maxConnections`. Beyond that, requests wait in a bounded queue. Requests of a client that holds its share of the
// streams wait too. This file handles only the lifecycle of sessions.
//
// A slow upload gets a stream at once, unlike over HTTP/1 (backend/http1/pool/pool.ts): it takes no connection from other
// requests, and many calls of gRPC send a little and then wait for a response.

import { ClientShares, shareOf } from '@vera-stack/shared/client-shares.ts'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { exhausted, unreachable } from '../backend-failure.ts'
import type { Connector } from '../connector.ts'
import { DEFAULT_POOL_LIMITS, type PoolLimits } from '../pool-limits.ts'
import { type Waiting, WaitQueue } from '../wait-queue.ts'
import { BackendSession, type SessionOwner } from './session.ts'

/**
 * 64 connections at the usual limit of 100 streams are more than a tunnel has. HTTP/2 servers close idle connections
 * after minutes and announce it with a GOAWAY, so a short idle time is not needed.
 */
export const HTTP2_MAX_CONNECTIONS = 64

/** `maxDetached`: draining connections above this number count as connections. `maxWaitMs` is at least `connectTimeoutMs`. */
const DEFAULT_OPTIONS: PoolLimits = {
  ...DEFAULT_POOL_LIMITS,
  maxConnections: HTTP2_MAX_CONNECTIONS,
  maxWaiting: 4096,
  keepAliveMs: 60_000,
}

/** A request that needs a stream. It gets exactly one of the two calls, possibly before `acquire` returns. */
export interface SessionWaiter extends Waiting {
  /** The session has room for one stream. The request opens it in this call. */
  onSession(session: BackendSession): void
}

/**
 * The connection that a request needs. `fresh`: one that has not been idle, because an idle one was found dead. `own`: one
 * that carries no other request, because this request authenticates the connection.
 */
export type SessionNeed = 'any' | 'fresh' | 'own'

/** Assumed number of streams on one connection until the first SETTINGS arrives (RFC 9113 section 6.5.2). */
const USUAL_CAPACITY = 100
const LIVENESS_MS = 2500

export class SessionPool implements SessionOwner {
  readonly #connector: Connector
  readonly #secure: boolean
  readonly #clock: Clock
  readonly #options: PoolLimits
  /** Open sessions, oldest first. */
  readonly #sessions: BackendSession[] = []
  readonly #connecting = new Set<BackendSession>()
  /** Connecting sessions for one request only, with that request. The open ones are in `#own`. */
  readonly #connectingOwn = new Map<BackendSession, SessionWaiter>()
  readonly #own = new Set<BackendSession>()
  /** Sessions that finish their last streams. */
  readonly #draining = new Set<BackendSession>()
  readonly #queue: WaitQueue<SessionWaiter>
  /** Shares of the clients in the streams of open connections. */
  readonly #shares: ClientShares
  #capacity = USUAL_CAPACITY
  #watchTimer: Timer | undefined
  #closed = false

  constructor(connector: Connector, secure: boolean, clock: Clock, options: Partial<PoolLimits> = {}) {
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
      waiter.onNoConnection(
        new TunnelError('draining', { detail: 'The connections to the backend are closing.' }),
      )
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
    const draining = new TunnelError('draining', { detail: 'The connections to the backend are closing.' })
    for (const [session, waiter] of [...this.#connectingOwn]) {
      this.#connectingOwn.delete(session)
      session.destroy()
      waiter.onNoConnection(draining)
    }
    for (const session of [...this.#sessions]) session.drain()
    this.#queue.close(new TunnelError('draining'))
    this.#watch()
  }

  // Reports of sessions.

  onReady(session: BackendSession): void {
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

  onConnectFailed(session: BackendSession, error: TunnelError): void {
    const waiter = this.#connectingOwn.get(session)
    if (waiter !== undefined) {
      this.#connectingOwn.delete(session)
      waiter.onNoConnection(error)
      return
    }
    this.#connecting.delete(session)
    // While other connections exist, waiting requests can still use them. Otherwise each waiting request would fail too.
    if (this.size === 0) this.#queue.refuseAll(error)
  }

  onStreamOpened(client: string): void {
    this.#shares.add(client)
  }

  onStreamEnded(client: string): void {
    this.#shares.remove(client)
  }

  onRoom(session: BackendSession): void {
    if (this.#own.has(session)) {
      if (session.streams === 0) session.drain()
      return
    }
    this.#capacity = session.capacity
    this.#serveQueue()
    this.#drainIfUnused(session)
  }

  onDraining(session: BackendSession): void {
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

  onClosed(session: BackendSession): void {
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

  /** Stops counting the streams of a session, because new streams cannot use their room. */
  #forgetStreams(session: BackendSession): void {
    for (const client of session.clients) this.#shares.remove(client)
  }

  #mayTake(client: string): boolean {
    return this.#shares.allows(client, this.#options.maxConnections * Math.max(1, this.#capacity))
  }

  /** Handles the end of a session. A session that ended before its first stream counts as failed, so no redial follows. */
  #replace(session: BackendSession): void {
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

  /** Opens as many connections as the waiting requests would fill. */
  #connectForQueue(): void {
    if (this.#closed) return
    const each = Math.max(1, this.#capacity)
    while (this.#queue.size > this.#connecting.size * each && this.#mayConnect && this.#queue.hasTurn) {
      // A backend that accepts no streams now would accept no streams on further connections.
      if (this.#capacity === 0 && this.size > 0) return
      this.#connecting.add(this.#newSession())
    }
  }

  /** Opens a connection for one request only. The connection closes with the request. */
  #connectOwn(waiter: SessionWaiter): void {
    if (this.#closed) {
      waiter.onNoConnection(
        new TunnelError('draining', { detail: 'The connections to the backend are closing.' }),
      )
    } else if (!this.#mayHaveOwn(waiter.client)) {
      const detail =
        'The client already holds its share of the connections to the backend, and each of its requests needs one.'
      waiter.onNoConnection(new TunnelError('client_share', { detail }))
    } else if (this.#mayConnect) {
      this.#connectingOwn.set(this.#newSession(), waiter)
    } else {
      waiter.onNoConnection(
        exhausted('All connections are in use, and an authenticated request needs one of its own.'),
      )
    }
  }

  /** Returns true while the client's own connections are fewer than its share of all connections. */
  #mayHaveOwn(client: string): boolean {
    const { maxConnections, clientSharePercent } = this.#options
    if (client === '') return true
    const connecting = [...this.#connectingOwn.values()].filter(waiter => waiter.client === client)
    const open = [...this.#own].filter(session => session.clients.includes(client))
    return connecting.length + open.length < shareOf(maxConnections, clientSharePercent)
  }

  #giveOwn(session: BackendSession, waiter: SessionWaiter): void {
    this.#connectingOwn.delete(session)
    this.#own.add(session)
    if (session.hasRoom) waiter.onSession(session)
    else waiter.onNoConnection(exhausted('The backend accepts no streams on a new connection.'))
    // The stream could not be opened.
    if (session.streams === 0) session.drain()
    this.#watch()
  }

  #newSession(): BackendSession {
    const { connectTimeoutMs } = this.#options
    return new BackendSession({
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

  #drainIfUnused(session: BackendSession): void {
    if (this.#options.keepAliveMs <= 0 && session.streams === 0) session.drain()
  }

  #drainIdle(isDue: (session: BackendSession) => boolean): void {
    for (const session of [...this.#sessions]) {
      if (session.streams === 0 && isDue(session)) session.drain()
    }
  }

  /** Closes idle and dead connections. The timer runs while there is a connection. */
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
