// The connections of a listener, and which of them are idle: not authenticated yet, or without a request in progress. At the
// limit the connection that has been idle for the longest time makes room for a new one, so that a client that opens many
// idle connections keeps nobody out.

import type { Socket } from 'node:net'

/** What is used of a socket. */
interface Connection {
  once(event: 'close', listener: () => void): unknown
  destroy(): unknown
}

export interface IdleConnectionsOptions {
  /** Connections open at once. */
  readonly max: number
  /** Of them, those that are idle. Default: all. */
  readonly maxIdle?: number
}

export class IdleConnections<Of extends Connection = Socket> {
  readonly #options: IdleConnectionsOptions
  readonly #open = new Set<Of>()
  /** In the order in which they became idle. */
  readonly #idle = new Set<Of>()

  constructor(options: IdleConnectionsOptions) {
    this.#options = options
  }

  /** Adds a new connection, which is idle. It is itself closed when it is one too many and all others are in use. */
  add(connection: Of): void {
    const { max, maxIdle = max } = this.#options
    this.#open.add(connection)
    this.#idle.add(connection)
    connection.once('close', () => this.#remove(connection))
    if (this.#open.size <= max && this.#idle.size <= maxIdle) return
    const [oldest] = this.#idle
    if (oldest === undefined) return
    // Before its `close`, which comes later: until then it would still count.
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
