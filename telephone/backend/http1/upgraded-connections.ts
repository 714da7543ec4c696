// The upgraded connections of one backend. They never come back to the pool, so they no longer count as connections of
// it, up to a limit of their own, of which no client holds more than its share.

import { ClientShares } from '@vera-stack/shared/client-shares.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { exhausted } from '../backend-failure.ts'
import type { Connection } from './connection.ts'

export class UpgradedConnections {
  readonly #max: number
  readonly #connections = new Map<Connection, string>()
  readonly #shares: ClientShares

  constructor(max: number, clientSharePercent: number) {
    this.#max = max
    this.#shares = new ClientShares(clientSharePercent, () => this.#connections.values())
  }

  /** Why the client gets no further one; undefined: there is room. */
  refusal(client: string): TunnelError | undefined {
    if (this.#connections.size >= this.#max) {
      return exhausted('All upgraded connections that the backend may have are in use.')
    }
    if (this.#shares.allows(client, this.#max)) return undefined
    return new TunnelError('client_share', { detail: 'the client has its share of the upgraded connections' })
  }

  /** False: there is no room, since several upgrades were under way at once. */
  add(connection: Connection, client: string): boolean {
    if (this.refusal(client) !== undefined) return false
    this.#connections.set(connection, client)
    this.#shares.add(client)
    return true
  }

  /** False: it was none of them. */
  delete(connection: Connection): boolean {
    const client = this.#connections.get(connection)
    if (client === undefined) return false
    this.#connections.delete(connection)
    this.#shares.remove(client)
    return true
  }
}
