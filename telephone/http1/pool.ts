// Keep-alive connections to one backend. The most recently used one is taken first, so that the others fall
// idle and are closed before the backend would close them; beyond `maxConnections` requests wait in a bounded
// queue. Knows connections by their life only, not what is said on them.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { TunnelError } from '@vera-stack/shared/protocol/reason.ts'
import type { Connector } from '../connector.ts'
import { type Waiting, type WaitLimits, WaitQueue } from '../wait-queue.ts'
import { Connection, type ConnectionOwner } from './connection.ts'
import { type BackendParsing, DEFAULT_PARSER_LIMITS, type ParserLimits } from './response-parser.ts'

export interface PoolOptions extends WaitLimits {
  /** Connections carrying HTTP at once; upgraded ones no longer count. */
  readonly maxConnections: number
  /** Most upgraded connections at once. Requests for further upgrades are refused. */
  readonly maxDetached: number
  /** Idle connections are closed after this, ms: shorter than the 5 s of usual backends. 0: never reused. */
  readonly keepAliveMs: number
  readonly connectTimeoutMs: number
  readonly parserLimits: ParserLimits
  readonly backendParsing: BackendParsing
}

export const HTTP1_MAX_CONNECTIONS = 512

const DEFAULT_POOL_OPTIONS: PoolOptions = {
  maxConnections: HTTP1_MAX_CONNECTIONS,
  maxDetached: Number.POSITIVE_INFINITY,
  maxWaiting: 1024,
  maxWaitMs: 10_000,
  keepAliveMs: 4000,
  connectTimeoutMs: 5000,
  parserLimits: DEFAULT_PARSER_LIMITS,
  backendParsing: 'strict',
}

/** A request that wants a connection; gets exactly one of the two calls, perhaps before `acquire` returns. */
export interface Waiter extends Waiting {
  /** Id of the client connection. Requests with the same id use the same authenticated connection to the backend. */
  readonly affinity: string | undefined
  /** True when the request asks for an upgrade, after which its connection never comes back. */
  readonly upgrade: boolean
  onConnection(connection: Connection): void
}

/**
 * The connection that a request needs. `idle`: any idle one, because the request can be repeated when the backend has
 * closed it. `open`: an idle one that the backend still keeps open, as far as can be known. `new`: an unused one.
 */
export type ConnectionNeed = 'idle' | 'open' | 'new'

/** A backend closes idle connections on its own clock; this much is left for the way there. */
const HINT_MARGIN_MS = 1000
/**
 * For this time an idle connection counts as open, when the backend gives no hint. Servers keep idle connections for at
 * least a second; the rest is left for the way to the backend.
 */
const SURELY_OPEN_MS = 800

export class Pool implements ConnectionOwner {
  readonly #connector: Connector
  readonly #clock: Clock
  readonly #options: PoolOptions
  readonly #idle: Connection[] = []
  /** Idle connections that are authenticated, each by the one client connection that it may serve. */
  readonly #bound = new Map<string, Connection>()
  readonly #connecting = new Map<Connection, Waiter>()
  readonly #queue: WaitQueue<Waiter>
  readonly #detached = new Set<Connection>()
  /** Connections that carry HTTP or may soon (idle, busy, connecting), and upgraded ones beyond `maxDetached`. */
  #size = 0
  #sweep: Timer | undefined
  #closed = false

  constructor(connector: Connector, clock: Clock, options: Partial<PoolOptions> = {}) {
    this.#connector = connector
    this.#clock = clock
    this.#options = { ...DEFAULT_POOL_OPTIONS, ...options }
    this.#queue = new WaitQueue(clock, this.#options)
  }

  get size(): number {
    return this.#size
  }

  get idleCount(): number {
    return this.#idle.length
  }

  acquire(waiter: Waiter, need: ConnectionNeed): void {
    if (waiter.upgrade && this.#detached.size >= this.#options.maxDetached) {
      waiter.onNoConnection(new TunnelError('overloaded', { detail: 'too many upgraded connections' }))
      return
    }
    const connection = need === 'new' ? undefined : (this.#takeBound(waiter.affinity) ?? this.#takeIdle(need))
    if (connection !== undefined) waiter.onConnection(connection)
    else if (this.#closed)
      waiter.onNoConnection(new TunnelError('draining', { detail: 'the pool is closed' }))
    else if (this.#size < this.#options.maxConnections) this.#connect(waiter)
    // Every connection counts, so an idle one that this request cannot use makes room.
    else if (this.#idle.length + this.#bound.size > 0) this.#replaceIdle(waiter)
    else this.#queue.add(waiter)
  }

  /** The waiter no longer wants a connection. */
  cancel(waiter: Waiter): void {
    if (this.#queue.remove(waiter)) return
    for (const [connection, owner] of this.#connecting) {
      if (owner === waiter) {
        connection.destroy()
        return
      }
    }
  }

  /** Closes idle connections now and the others as they finish; waiting requests are refused. */
  close(): void {
    this.#closed = true
    this.#sweep?.cancel()
    for (const connection of this.#allIdle()) connection.destroy()
    this.#queue.close(new TunnelError('draining'))
  }

  // What connections report.

  onConnected(connection: Connection): void {
    const waiter = this.#connecting.get(connection)
    this.#connecting.delete(connection)
    waiter?.onConnection(connection)
  }

  onConnectFailed(connection: Connection, error: TunnelError): void {
    const waiter = this.#connecting.get(connection)
    this.#connecting.delete(connection)
    this.#size -= 1
    waiter?.onNoConnection(error)
    this.#serveQueue()
  }

  onIdle(connection: Connection): void {
    if (connection.authenticated) {
      this.#keepBound(connection)
      return
    }
    const waiter = this.#queue.next()
    if (waiter !== undefined) {
      waiter.onConnection(connection)
      return
    }
    if (this.#closed || this.#keepAliveMs(connection) <= 0) {
      connection.destroy()
      return
    }
    this.#idle.push(connection)
    this.#becameIdle(connection)
  }

  onDetached(connection: Connection): void {
    // Several upgrades may have begun when there was room for one. The others still count as connections.
    if (this.#detached.size >= this.#options.maxDetached) return
    this.#detached.add(connection)
    this.#size -= 1
    this.#serveQueue()
  }

  onClosed(connection: Connection): void {
    if (this.#detached.delete(connection)) return
    this.#size -= 1
    this.#connecting.delete(connection)
    const index = this.#idle.lastIndexOf(connection)
    if (index !== -1) this.#idle.splice(index, 1)
    if (this.#bound.get(connection.affinity ?? '') === connection)
      this.#bound.delete(connection.affinity ?? '')
    this.#serveQueue()
  }

  /**
   * Keeps the connection for its client alone. While other requests wait for a connection, it is kept only when its client
   * is in the middle of its authentication.
   */
  #keepBound(connection: Connection): void {
    const { affinity, challenged } = connection
    const needed = this.#queue.size > 0 && !challenged
    if (affinity === undefined || needed || this.#closed || this.#keepAliveMs(connection) <= 0) {
      connection.destroy()
      return
    }
    this.#bound.get(affinity)?.destroy()
    this.#bound.set(affinity, connection)
    this.#becameIdle(connection)
  }

  #becameIdle(connection: Connection): void {
    connection.idleSince = this.#clock.now()
    this.#sweep ??= this.#clock.after(this.#options.keepAliveMs, () => this.#closeExpired())
  }

  /** Returns the authenticated connection of this client for every need, because another one is not authenticated. */
  #takeBound(affinity: string | undefined): Connection | undefined {
    const connection = affinity === undefined ? undefined : this.#bound.get(affinity)
    if (connection === undefined || affinity === undefined) return undefined
    this.#bound.delete(affinity)
    if (connection.usable && !this.#expired(connection, this.#clock.now())) return connection
    connection.destroy()
    return undefined
  }

  #allIdle(): Connection[] {
    return [...this.#idle, ...this.#bound.values()]
  }

  /** Returns the idle connection that was used last. Closes idle connections that cannot be used any more. */
  #takeIdle(need: 'idle' | 'open'): Connection | undefined {
    const now = this.#clock.now()
    for (let connection = this.#idle.at(-1); connection !== undefined; connection = this.#idle.at(-1)) {
      if (connection.usable && !this.#expired(connection, now)) {
        // The others have been idle for longer still.
        if (need === 'open' && !isSurelyOpen(connection, now)) return undefined
        this.#idle.pop()
        return connection
      }
      this.#idle.pop()
      connection.destroy()
    }
    return undefined
  }

  #connect(waiter: Waiter): void {
    const { connectTimeoutMs, parserLimits, backendParsing } = this.#options
    this.#size += 1
    const connection = new Connection({
      connector: this.#connector,
      owner: this,
      clock: this.#clock,
      connectTimeoutMs,
      parserLimits,
      backendParsing,
    })
    this.#connecting.set(connection, waiter)
  }

  #replaceIdle(waiter: Waiter): void {
    this.#allIdle()[0]?.destroy()
    this.#connect(waiter)
  }

  #serveQueue(): void {
    if (this.#closed) return
    while (this.#queue.size > 0 && this.#size < this.#options.maxConnections) {
      const waiter = this.#queue.next()
      if (waiter !== undefined) this.#connect(waiter)
    }
  }

  #keepAliveMs(connection: Connection): number {
    const own = this.#options.keepAliveMs
    const hint = connection.keepAliveHintMs
    return hint === undefined ? own : Math.min(own, hint - HINT_MARGIN_MS)
  }

  #expired(connection: Connection, now: number): boolean {
    return now - connection.idleSince >= this.#keepAliveMs(connection)
  }

  #closeExpired(): void {
    this.#sweep = undefined
    const now = this.#clock.now()
    for (const connection of this.#allIdle()) if (this.#expired(connection, now)) connection.destroy()
    if (this.#idle.length + this.#bound.size > 0) {
      this.#sweep = this.#clock.after(this.#options.keepAliveMs / 2, () => this.#closeExpired())
    }
  }
}

/** True when the backend keeps the connection longer than it has been idle, by its own hint or by the usual time. */
function isSurelyOpen({ idleSince, keepAliveHintMs }: Connection, now: number): boolean {
  return keepAliveHintMs !== undefined || now - idleSince < SURELY_OPEN_MS
}
