// Tracks the connections of a listener. A connection is idle when it is not authenticated yet, or has no request in progress.
// At the limit, a new connection replaces the one that has been idle for the longest time, so a client that opens many idle
// connections does not lock other clients out.

import type { Socket } from 'node:net'

/** The members of a socket that this file uses. */
interface Connection {
  once(event: 'close', listener: () => void): unknown
  destroy(): unknown
}

export interface IdleConnectionsOptions {
  /** The limit of open connections. */
  readonly max: number
  /** The limit of idle connections. Default: `max`. */
  readonly maxIdle?: number
}

export class IdleConnections<Of extends Connection = Socket> {
  readonly #options: IdleConnectionsOptions
  readonly #open = new Set<Of>()
  /** The idle connections, in the order in which they became idle. */
  readonly #idle = new Set<Of>()

  constructor(options: IdleConnectionsOptions) {
    this.#options = options
  }

  /** Adds a new connection as idle. When the limit is exceeded and all others are in use, closes the new connection. */
  add(connection: Of): void {
    const { max, maxIdle = max } = this.#options
    this.#open.add(connection)
    this.#idle.add(connection)
    connection.once('close', () => this.#remove(connection))
    if (this.#open.size <= max && this.#idle.size <= maxIdle) return
    const [oldest] = this.#idle
    if (oldest === undefined) return
    // The `close` event comes later, and the connection must not count until then.
    this.#remove(oldest)
    oldest.destroy()
  }

  /** Marks a connection as in use. */
  use(connection: Of): void {
    this.#idle.delete(connection)
  }

  /** Marks a connection as idle again, from now on. */
  release(connection: Of): void {
    if (this.#open.has(connection)) this.#idle.add(connection)
  }

  isIdle(connection: Of): boolean {
    return this.#idle.has(connection)
  }

  destroyAll(): void {
    for (const connection of this.#open) connection.destroy()
  }

  #remove(connection: Of): void {
    this.#open.delete(connection)
    this.#idle.delete(connection)
  }
}
