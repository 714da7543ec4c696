// Puts the PROXY protocol in front of a server: a connection of a trusted proxy must begin with a header, and is
// handed to the server with the bytes behind it once it has. Connections of anyone else are what they are, and
// a header that they send is a bad request like any other.

import type { Server, Socket } from 'node:net'
import type { Clock } from '@vera-stack/shared/clock.ts'
import { socketAddress } from '@vera-stack/shared/ip-address.ts'
import { type ProxyHeader, parseProxyHeader } from './proxy-protocol.ts'
import type { TrustedProxies } from './trusted-proxies.ts'

export interface ProxyProtocolOptions {
  readonly trusted: TrustedProxies
  /** For the whole header, ms. */
  readonly timeoutMs: number
  /** Most connections that may wait for their header at once. A further one is refused. */
  readonly maxWaiting: number
  readonly clock: Clock
  /** A trusted proxy that broke the rules; its connection is destroyed. */
  readonly onRefused: (socket: Socket, error: Error) => void
  /** Called when a connection was refused because `maxWaiting` others wait. */
  readonly onOverflow: () => void
}

/** Addresses from PROXY headers, by connection. */
const clients = new WeakMap<Socket, string>()

/** Where the connection comes from: what its PROXY header says, else what the kernel says. */
export function clientAddressOf(socket: Socket): string {
  return clients.get(socket) ?? socketAddress(socket.remoteAddress)
}

/** To be made before the server listens, when all its `connection` listeners are there. */
export class ProxyProtocolGate {
  readonly #options: ProxyProtocolOptions
  readonly #server: Server
  readonly #listeners: readonly ((socket: Socket) => void)[]
  /** Connections whose header has not come yet. */
  readonly #waiting = new Set<Socket>()

  constructor(server: Server, options: ProxyProtocolOptions) {
    this.#server = server
    this.#options = options
    this.#listeners = server.listeners('connection') as ((socket: Socket) => void)[]
    server.removeAllListeners('connection')
    server.on('connection', (socket: Socket) => {
      if (options.trusted.trusts(socketAddress(socket.remoteAddress))) this.#readHeader(socket)
      else this.#serve(socket)
    })
  }

  /** Hands a connection to the server as it is. */
  #serve(socket: Socket): void {
    for (const listener of this.#listeners) listener.call(this.#server, socket)
  }

  /** Nobody is behind a connection without a header yet: those are destroyed. */
  close(): void {
    for (const socket of this.#waiting) socket.destroy()
  }

  #readHeader(socket: Socket): void {
    const { clock, timeoutMs, maxWaiting, onRefused, onOverflow } = this.#options
    if (this.#waiting.size >= maxWaiting) {
      socket.on('error', () => undefined)
      socket.destroy()
      onOverflow()
      return
    }
    let received: Buffer = Buffer.alloc(0)
    const leave = (): void => {
      timer.cancel()
      this.#waiting.delete(socket)
      socket.off('data', onData).off('error', refuse).off('close', leave)
    }
    const refuse = (error: Error): void => {
      leave()
      // Whatever a connection that is being destroyed still says.
      socket.on('error', () => undefined)
      socket.destroy()
      onRefused(socket, error)
    }
    const onData = (chunk: Buffer): void => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
      let header: ProxyHeader | undefined
      try {
        header = parseProxyHeader(received)
      } catch (error) {
        refuse(error as Error)
        return
      }
      if (header === undefined) return
      leave()
      socket.pause()
      if (header.address !== undefined) clients.set(socket, header.address)
      if (received.length > header.bytes) socket.unshift(received.subarray(header.bytes))
      this.#serve(socket)
      // What is buffered goes out in the next tick, before the socket is read again: the server sees the bytes in
      // their order. A TLS server does not listen; it fetches them itself.
      if (socket.listenerCount('data') > 0) socket.resume()
    }
    const timer = clock.after(timeoutMs, () => refuse(new Error(`no PROXY header within ${timeoutMs} ms`)))
    this.#waiting.add(socket)
    socket.on('data', onData).on('error', refuse).on('close', leave)
  }
}
