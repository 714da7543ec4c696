// All open connections of clients, on all public ports, and the limits for their number: in total, and per client address
// (row S5). Tunnels do not count.

import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { shareOf } from '@vera-stack/shared/client-shares.ts'
import type { Clock } from '@vera-stack/shared/clock.ts'
import { countRefusal, type ProxyCounters } from '../counters.ts'
import type { Deadlines } from '../deadlines.ts'
import { AddressCounts } from './address-counts.ts'
import { ClientConnection } from './client-connection.ts'
import type { TrustedProxies } from './trusted-proxies.ts'

export interface ClientConnectionsOptions {
  readonly max: number
  readonly maxPerAddress: number
  /** A second limit per address, in percent of `max`. The lower of both limits applies. */
  readonly clientSharePercent: number
  readonly trusted: TrustedProxies
  readonly counters: ProxyCounters
  readonly deadlines: Deadlines
  readonly clock: Clock
}

export class ClientConnections {
  readonly #options: ClientConnectionsOptions
  readonly #bySocket = new Map<Duplex, ClientConnection>()
  /** Counts the connections that do not come from trusted proxies. */
  readonly #addresses: AddressCounts
  #whenEmpty: (() => void) | undefined

  constructor(options: ClientConnectionsOptions) {
    this.#options = options
    const { max, maxPerAddress, clientSharePercent } = options
    this.#addresses = new AddressCounts(Math.min(maxPerAddress, shareOf(max, clientSharePercent)))
  }

  get size(): number {
    return this.#bySocket.size
  }

  /** True when one more connection is within the limit. */
  get hasRoom(): boolean {
    return this.#bySocket.size < this.#options.max
  }

  of(socket: Duplex): ClientConnection | undefined {
    return this.#bySocket.get(socket)
  }

  /**
   * Registers a connection. Returns undefined when it exceeds a limit; it is then closed and counted as refused. `transport`:
   * the TCP connection, when `socket` is a TLS socket.
   */
  open(socket: Socket, transport = socket): ClientConnection | undefined {
    const { trusted, counters, deadlines, clock } = this.#options
    counters.connections += 1
    const connection = new ClientConnection(socket, trusted, deadlines, clock.now(), transport)
    const { hasRoom } = this
    const mayStay = hasRoom && (connection.trusted || this.#addresses.add(connection.addressGroup))
    if (!mayStay) {
      countRefusal(counters, hasRoom ? 'client_limit' : 'max_connections')
      // Ignores errors of a socket that is being destroyed.
      socket.on('error', () => undefined)
      socket.destroy()
      return undefined
    }
    this.#bySocket.set(socket, connection)
    socket.once('close', () => {
      connection.onClosed()
      this.forget(socket)
    })
    return connection
  }

  /** Removes a connection that has closed, or that has become a tunnel. */
  forget(socket: Duplex): void {
    const connection = this.#bySocket.get(socket)
    if (connection === undefined) return
    this.#bySocket.delete(socket)
    if (!connection.trusted) this.#addresses.remove(connection.addressGroup)
    if (this.#bySocket.size === 0) this.#whenEmpty?.()
  }

  /** Returns a promise that resolves when the last connection has closed; undefined when no connection is open. */
  untilEmpty(): Promise<void> | undefined {
    if (this.#bySocket.size === 0) return undefined
    return new Promise(resolve => {
      this.#whenEmpty = resolve
    })
  }

  cutAll(): void {
    for (const { socket } of this.#bySocket.values()) socket.destroy()
  }
}
