// Keep-alive connections to one backend. A request takes the most recently used one, so that the other connections
// become idle and are closed before the backend closes them. This file handles only the lifecycle of connections.
// connection-turns.ts decides which request gets a connection.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { UNACCEPTED_BYTES } from '@vera-stack/shared/protocol/wire/frame.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { Connector } from '../../connector.ts'
import { DEFAULT_POOL_LIMITS, type PoolLimits } from '../../pool-limits.ts'
import { Connection, type Http1ConnectionOwner } from '../connection.ts'
import { type BackendParsing, DEFAULT_PARSER_LIMITS, type ParserLimits } from '../parser/response-parser.ts'
import { ConnectionTurns, type TurnLimits, type Uploading } from './connection-turns.ts'
import { IdleBackendConnections } from './idle-connections.ts'
import { UpgradedConnections } from './upgraded-connections.ts'

/** `maxDetached`: of upgraded connections. Requests for further upgrades are refused. */
export interface PoolOptions extends PoolLimits, TurnLimits {
  readonly parserLimits: ParserLimits
  readonly backendParsing: BackendParsing
}

export const HTTP1_MAX_CONNECTIONS = 512

const DEFAULT_POOL_OPTIONS: PoolOptions = {
  ...DEFAULT_POOL_LIMITS,
  maxConnections: HTTP1_MAX_CONNECTIONS,
  // Shorter than the 5 s after which many backends close idle connections.
  keepAliveMs: 4000,
  uploadStartBytes: UNACCEPTED_BYTES,
  parserLimits: DEFAULT_PARSER_LIMITS,
  backendParsing: 'strict',
}

/** A request that needs a connection. It gets exactly one of the two calls, possibly before `acquire` returns. */
export interface Waiter extends Uploading {
  /** Id of the client connection. Requests with the same id use the same authenticated connection to the backend. */
  readonly affinity: string | undefined
  /** True when the request asks for an upgrade. An upgraded connection never returns to the pool. */
  readonly upgrade: boolean
  onConnection(connection: Connection): void
}

/**
 * The connection that a request needs. `idle`: any idle one, because the request can be repeated when the backend has
 * closed the connection. `open`: an idle one that the backend most likely keeps open. `new`: an unused one.
 */
export type ConnectionNeed = 'idle' | 'open' | 'new'

export class Pool implements Http1ConnectionOwner {
  readonly #connector: Connector
  readonly #clock: Clock
  readonly #options: PoolOptions
  /** Connections that carry HTTP or may carry it: idle, busy and connecting. */
  readonly #connections = new Set<Connection>()
  readonly #idle: IdleBackendConnections
  readonly #connecting = new Map<Connection, Waiter>()
  readonly #turns: ConnectionTurns<Waiter>
  readonly #upgraded: UpgradedConnections
  #closed = false

  constructor(connector: Connector, clock: Clock, options: Partial<PoolOptions> = {}) {
    this.#connector = connector
    this.#clock = clock
    this.#options = { ...DEFAULT_POOL_OPTIONS, ...options }
    const { clientSharePercent, maxDetached, keepAliveMs } = this.#options
    this.#idle = new IdleBackendConnections(clock, keepAliveMs)
    this.#turns = new ConnectionTurns(clock, this.#options, () => this.#clients())
    this.#upgraded = new UpgradedConnections(maxDetached, clientSharePercent)
  }

  acquire(waiter: Waiter, need: ConnectionNeed): void {
    const refusal = waiter.upgrade ? this.#upgraded.refusal(waiter.client) : undefined
    if (refusal !== undefined) {
      waiter.onNoConnection(refusal)
    } else if (this.#closed) {
      waiter.onNoConnection(
        new TunnelError('draining', { detail: 'The connections to the backend are closing.' }),
      )
    } else if (this.#turns.admit(waiter)) {
      this.#give(waiter, need)
    }
  }

  /** Handles new bytes or the end of the waiter's upload, which may wait for them. */
  uploadMoved(waiter: Waiter, need: ConnectionNeed): void {
    if (this.#turns.uploadMoved(waiter)) this.acquire(waiter, need)
  }

  /** Removes a waiter that no longer needs a connection. */
  cancel(waiter: Waiter): void {
    if (this.#turns.remove(waiter)) return
    for (const [connection, owner] of this.#connecting) {
      if (owner === waiter) {
        connection.destroy()
        return
      }
    }
  }

  /** Closes idle connections now and busy connections when they finish. Refuses waiting requests. */
  close(): void {
    this.#closed = true
    this.#idle.close()
    this.#turns.close(new TunnelError('draining'))
  }

  // Events of connections.

  onConnected(connection: Connection): void {
    const waiter = this.#connecting.get(connection)
    this.#connecting.delete(connection)
    waiter?.onConnection(connection)
  }

  onConnectFailed(connection: Connection, error: TunnelError): void {
    const waiter = this.#connecting.get(connection)
    this.#forget(connection)
    waiter?.onNoConnection(error)
    this.#serveWaiting()
  }

  onIdle(connection: Connection): void {
    this.#release(connection)
    if (connection.authenticated) {
      this.#keepBound(connection)
      return
    }
    const waiter = this.#turns.next()
    if (waiter !== undefined) {
      const own = this.#idle.takeBound(waiter.affinity)
      this.#assign(own ?? connection, waiter)
      if (own === undefined) return
    }
    if (this.#closed) {
      connection.destroy()
      return
    }
    this.#idle.add(connection)
    if (waiter !== undefined) this.#serveWaiting()
  }

  onDetached(connection: Connection): void {
    // Several upgrades may have started while there was room for one. The other connections still count.
    if (!this.#upgraded.add(connection, connection.client ?? '')) return
    this.#forget(connection)
    this.#serveWaiting()
  }

  onClosed(connection: Connection): void {
    if (this.#upgraded.delete(connection)) return
    this.#forget(connection)
    this.#idle.remove(connection)
    this.#serveWaiting()
  }

  #give(waiter: Waiter, need: ConnectionNeed): void {
    const connection =
      need === 'new' ? undefined : (this.#idle.takeBound(waiter.affinity) ?? this.#idle.take(need))
    if (connection !== undefined) {
      this.#assign(connection, waiter)
    } else if (this.#connections.size < this.#options.maxConnections) {
      this.#connect(waiter)
    } else if (this.#idle.size > 0) {
      // Every connection counts, so an idle one that this request cannot use makes room.
      this.#replaceIdle(waiter)
    } else {
      this.#turns.wait(waiter)
    }
  }

  /** Assigns connections while a waiting request may take one. */
  #serveWaiting(): void {
    while (!this.#closed && (this.#idle.size > 0 || this.#connections.size < this.#options.maxConnections)) {
      const waiter = this.#turns.next()
      if (waiter === undefined) return
      this.#give(waiter, 'open')
    }
  }

  #assign(connection: Connection, waiter: Waiter): void {
    this.#hold(connection, waiter)
    waiter.onConnection(connection)
  }

  #hold(connection: Connection, { client }: Waiter): void {
    connection.client = client
    this.#turns.hold(client)
  }

  #release(connection: Connection): void {
    if (connection.client === undefined) return
    this.#turns.release(connection.client)
    connection.client = undefined
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection)
    this.#connecting.delete(connection)
    this.#release(connection)
  }

  /** Returns the client of each connection in use. */
  #clients(): string[] {
    return [...this.#connections].flatMap(({ client }) => client ?? [])
  }

  /**
   * Keeps the connection for its client alone. While other requests wait for a connection, it is kept only when its client
   * is in the middle of its authentication.
   */
  #keepBound(connection: Connection): void {
    const { affinity, challenged } = connection
    const needed = this.#turns.hasTurn && !challenged
    if (affinity === undefined || needed || this.#closed) connection.destroy()
    else this.#idle.addBound(connection, affinity)
  }

  #connect(waiter: Waiter): void {
    const { connectTimeoutMs, parserLimits, backendParsing } = this.#options
    const connection = new Connection({
      connector: this.#connector,
      owner: this,
      clock: this.#clock,
      connectTimeoutMs,
      parserLimits,
      backendParsing,
    })
    this.#connections.add(connection)
    this.#connecting.set(connection, waiter)
    this.#hold(connection, waiter)
  }

  #replaceIdle(waiter: Waiter): void {
    const oldest = this.#idle.takeOldest()
    if (oldest !== undefined) this.#forget(oldest)
    this.#connect(waiter)
    // Last, because its end is reported: no other request may take its place.
    oldest?.destroy()
  }
}
