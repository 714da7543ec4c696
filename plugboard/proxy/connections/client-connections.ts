// All connections of clients that are open, on whatever port they came, and the limits for their number: of all, and
// of each address (row S5). Tunnels are none of them.

import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { shareOf } from '@vera-stack/shared/client-shares.ts'
import type { Clock } from '@vera-stack/shared/clock.ts'
import type { ProxyCounters } from '../counters.ts'
import type { Deadlines } from '../deadlines.ts'
import { AddressCounts } from './address-counts.ts'
import { ClientConnection } from './client-connection.ts'
import type { TrustedProxies } from './trusted-proxies.ts'

export interface ClientConnectionsOptions {
  readonly max: number
  readonly maxPerAddress: number
  /** And of `max`, whatever `maxPerAddress` is, in percent. */
  readonly clientSharePercent: number
  readonly trusted: TrustedProxies
  readonly counters: ProxyCounters
  readonly deadlines: Deadlines
  readonly clock: Clock
}

export class ClientConnections {
  readonly #options: ClientConnectionsOptions
  readonly #bySocket = new Map<Duplex, ClientConnection>()
  /** Of connections from clients themselves. */
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

  /** False: a further one would be one too many. */
  get hasRoom(): boolean {
    return this.#bySocket.size < this.#options.max
  }

  of(socket: Duplex): ClientConnection | undefined {
    return this.#bySocket.get(socket)
  }

  /** `transport`: the TCP connection, when `socket` was decrypted. Undefined: one too many; it is closed and counted. */
  open(socket: Socket, transport = socket): ClientConnection | undefined {
    const { trusted, counters, deadlines, clock } = this.#options
    counters.connections += 1
    const connection = new ClientConnection(socket, trusted, deadlines, clock.now(), transport)
    const mayStay = this.hasRoom && (connection.trusted || this.#addresses.add(connection.addressGroup))
    if (!mayStay) {
      counters.connectionsRefused += 1
      // Whatever a connection that is being destroyed still says.
      socket.on('error', () => undefined)
      socket.destroy()
      return undefined
    }
    this.#bySocket.set(socket, connection)
    socket.once('close', () => {
      connection.gone()
      this.forget(socket)
    })
    return connection
  }

  /** Once it is closed, or a tunnel's. */
  forget(socket: Duplex): void {
    const connection = this.#bySocket.get(socket)
    if (connection === undefined) return
    this.#bySocket.delete(socket)
    if (!connection.trusted) this.#addresses.remove(connection.addressGroup)
    if (this.#bySocket.size === 0) this.#whenEmpty?.()
  }

  /** Resolves when the last one is gone; undefined: there is none. */
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
