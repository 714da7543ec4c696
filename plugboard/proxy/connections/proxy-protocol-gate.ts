// Puts the PROXY protocol in front of a server. A connection of a trusted proxy must begin with a PROXY header; the gate
// reads it and passes the connection and the bytes behind it to the server. All other connections are passed on unchanged, so
// a PROXY header in them is a malformed request.

import type { Server, Socket } from 'node:net'
import type { Clock } from '@vera-stack/shared/clock.ts'
import { socketAddress } from '@vera-stack/shared/net/ip-address.ts'
import { type ProxyHeader, parseProxyHeader } from './proxy-protocol.ts'
import type { TrustedProxies } from './trusted-proxies.ts'

export interface ProxyProtocolOptions {
  readonly trusted: TrustedProxies
  /** Time limit for the whole header, ms. */
  readonly timeoutMs: number
  /** The number of connections that may wait for their header at the same time. Further ones are refused. */
  readonly maxWaiting: number
  readonly clock: Clock
  /** Called after the gate has destroyed the connection of a trusted proxy that sent no valid header. */
  readonly onRefused: (socket: Socket, error: Error) => void
  /** Called when a connection was refused because `maxWaiting` others wait. */
  readonly onOverflow: () => void
}

/** Addresses from PROXY headers, by connection. */
const clients = new WeakMap<Socket, string>()

/** Returns the client's address: from the PROXY header of the connection, else the peer address of the socket. */
export function clientAddressOf(socket: Socket): string {
  return clients.get(socket) ?? socketAddress(socket.remoteAddress)
}

/** Construct it before the server listens, and after all `connection` listeners of the server are added. */
export class ProxyProtocolGate {
  readonly #options: ProxyProtocolOptions
  readonly #server: Server
  readonly #listeners: readonly ((socket: Socket) => void)[]
  /** Connections whose header has not arrived yet. */
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

  /** Passes a connection to the server. */
  #serve(socket: Socket): void {
    for (const listener of this.#listeners) listener.call(this.#server, socket)
  }

  /** Destroys the connections whose header has not arrived, because no request has begun on them. */
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
      // Ignores errors of a socket that is being destroyed.
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
      // Buffered bytes are emitted in the next tick, before the socket is read again, so the server gets all bytes in order.
      // A TLS server adds no `data` listener, because it reads the socket itself.
      if (socket.listenerCount('data') > 0) socket.resume()
    }
    const timer = clock.after(timeoutMs, () => refuse(new Error(`no PROXY header within ${timeoutMs} ms`)))
    this.#waiting.add(socket)
    socket.on('data', onData).on('error', refuse).on('close', leave)
  }
}
