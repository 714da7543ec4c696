// Counts the upgraded connections of one backend. They never return to the pool, so they do not count as its connections.
// They have a separate limit, and each client may hold its share of that limit.

import { ClientShares } from '@vera-stack/shared/client-shares.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { exhausted } from '../../backend-failure.ts'
import type { Connection } from '../connection.ts'

export class UpgradedConnections {
  readonly #max: number
  readonly #connections = new Map<Connection, string>()
  readonly #shares: ClientShares

  constructor(max: number, clientSharePercent: number) {
    this.#max = max
    this.#shares = new ClientShares(clientSharePercent, () => this.#connections.values())
  }

  /** Returns the reason for which the client gets no further upgraded connection. Undefined when there is room. */
  refusal(client: string): TunnelError | undefined {
    if (this.#connections.size >= this.#max) {
      return exhausted('All upgraded connections that the backend may have are in use.')
    }
    if (this.#shares.allows(client, this.#max)) return undefined
    return new TunnelError('client_share', {
      detail: 'The client already holds its share of the upgraded connections.',
    })
  }

  /** Counts a connection. Returns false when there is no room, because several upgrades were in progress. */
  add(connection: Connection, client: string): boolean {
    if (this.refusal(client) !== undefined) return false
    this.#connections.set(connection, client)
    this.#shares.add(client)
    return true
  }

  /** Returns false when the connection was not counted here. */
  delete(connection: Connection): boolean {
    const client = this.#connections.get(connection)
    if (client === undefined) return false
    this.#connections.delete(connection)
    this.#shares.remove(client)
    return true
  }
}
