// The idle connections of a pool. Any request may take an unauthenticated connection, the most recently used one first.
// An authenticated connection serves only one client connection. Closes idle connections before the backend does.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Connection } from '../connection.ts'

/** Margin before the time at which the backend closes idle connections, for the way to the backend. */
const HINT_MARGIN_MS = 1000
/**
 * An idle connection counts as open for this time when the backend gives no hint. Servers keep idle connections for at
 * least a second; the difference is the margin for the way to the backend.
 */
const SURELY_OPEN_MS = 800

export class IdleBackendConnections {
  readonly #clock: Clock
  /** Time for which an idle connection is kept without a hint of the backend, ms. */
  readonly #keepAliveMs: number
  readonly #connections: Connection[] = []
  /** Authenticated connections, by the id of the client connection that each one serves. */
  readonly #bound = new Map<string, Connection>()
  #sweep: Timer | undefined

  constructor(clock: Clock, keepAliveMs: number) {
    this.#clock = clock
    this.#keepAliveMs = keepAliveMs
  }

  get size(): number {
    return this.#connections.length + this.#bound.size
  }

  /** Keeps the connection, or closes it at once when the backend or the settings require that. */
  add(connection: Connection): void {
    if (this.#lifeOf(connection) <= 0) {
      connection.destroy()
      return
    }
    this.#connections.push(connection)
    this.#becameIdle(connection)
  }

  /** Keeps or closes an authenticated connection. Replaces an older one of the same client connection. */
  addBound(connection: Connection, affinity: string): void {
    if (this.#lifeOf(connection) <= 0) {
      connection.destroy()
      return
    }
    this.#bound.get(affinity)?.destroy()
    this.#bound.set(affinity, connection)
    this.#becameIdle(connection)
  }

  /** Removes and returns the idle connection that was used last. Closes idle connections that are no longer usable. */
  take(need: 'idle' | 'open'): Connection | undefined {
    const now = this.#clock.now()
    for (
      let connection = this.#connections.at(-1);
      connection !== undefined;
      connection = this.#connections.at(-1)
    ) {
      if (connection.usable && !this.#expired(connection, now)) {
        // The other connections have been idle for longer.
        if (need === 'open' && !isSurelyOpen(connection, now)) return undefined
        this.#connections.pop()
        return connection
      }
      this.#connections.pop()
      connection.destroy()
    }
    return undefined
  }

  /** Removes and returns the authenticated connection of this client connection, because no other one is authenticated. */
  takeBound(affinity: string | undefined): Connection | undefined {
    const connection = affinity === undefined ? undefined : this.#bound.get(affinity)
    if (connection === undefined || affinity === undefined) return undefined
    this.#bound.delete(affinity)
    if (connection.usable && !this.#expired(connection, this.#clock.now())) return connection
    connection.destroy()
    return undefined
  }

  /** Removes and returns a connection for the caller to close, so that another one can be opened. */
  takeOldest(): Connection | undefined {
    const [oldest] = this.#all()
    if (oldest !== undefined) this.remove(oldest)
    return oldest
  }

  remove(connection: Connection): void {
    const index = this.#connections.lastIndexOf(connection)
    if (index !== -1) this.#connections.splice(index, 1)
    const { affinity = '' } = connection
    if (this.#bound.get(affinity) === connection) this.#bound.delete(affinity)
  }

  /** Closes all connections. The caller adds no connection after this call. */
  close(): void {
    this.#sweep?.cancel()
    for (const connection of this.#all()) connection.destroy()
  }

  #all(): Connection[] {
    return [...this.#connections, ...this.#bound.values()]
  }

  #becameIdle(connection: Connection): void {
    connection.idleSince = this.#clock.now()
    this.#sweep ??= this.#clock.after(this.#keepAliveMs, () => this.#closeExpired())
  }

  #lifeOf({ keepAliveHintMs }: Connection): number {
    if (keepAliveHintMs === undefined) return this.#keepAliveMs
    return Math.min(this.#keepAliveMs, keepAliveHintMs - HINT_MARGIN_MS)
  }

  #expired(connection: Connection, now: number): boolean {
    return now - connection.idleSince >= this.#lifeOf(connection)
  }

  #closeExpired(): void {
    this.#sweep = undefined
    const now = this.#clock.now()
    const expired = this.#all().filter(connection => this.#expired(connection, now))
    // Remove all first: each `destroy` notifies the pool, and no request may then get a connection that closes next.
    for (const connection of expired) this.remove(connection)
    for (const connection of expired) connection.destroy()
    if (this.size > 0) {
      this.#sweep = this.#clock.after(this.#keepAliveMs / 2, () => this.#closeExpired())
    }
  }
}

/** True when the backend keeps the connection longer than it has been idle, by its own hint or by the usual time. */
function isSurelyOpen({ idleSince, keepAliveHintMs }: Connection, now: number): boolean {
  return keepAliveHintMs !== undefined || now - idleSince < SURELY_OPEN_MS
}
