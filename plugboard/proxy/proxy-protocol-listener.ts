// Puts the PROXY protocol in front of a server: a connection of a trusted proxy must begin with a header, and is
// handed to the server with the bytes behind it once it has. Connections of anyone else are what they are, and
// a header that they send is a bad request like any other.

import type { Server, Socket } from 'node:net'
import type { Clock } from '@vera-stack/shared/clock.ts'
import { parseProxyHeader } from './proxy-protocol.ts'
import { plainAddress, type TrustedProxies } from './trusted-proxies.ts'

export interface ProxyProtocolOptions {
  readonly trusted: TrustedProxies
  /** For the whole header, ms. */
  readonly timeoutMs: number
  readonly clock: Clock
  /** A trusted proxy that broke the rules; its connection is destroyed. */
  readonly onRefused: (socket: Socket, error: Error) => void
}

/** Addresses from PROXY headers, by connection. */
const clients = new WeakMap<Socket, string>()

/** Where the connection comes from: what its PROXY header says, else what the kernel says. */
export function clientAddressOf(socket: Socket): string {
  return clients.get(socket) ?? plainAddress(socket.remoteAddress)
}

/** To be called before the server listens, when all its `connection` listeners are there. */
export function expectProxyProtocol(server: Server, options: ProxyProtocolOptions): void {
  const listeners = server.listeners('connection') as ((socket: Socket) => void)[]
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    const serve = (): void => {
      for (const listener of listeners) listener.call(server, socket)
    }
    if (options.trusted.trusts(plainAddress(socket.remoteAddress))) readHeader(socket, options, serve)
    else serve()
  })
}

function readHeader(socket: Socket, options: ProxyProtocolOptions, serve: () => void): void {
  const { clock, timeoutMs, onRefused } = options
  let received: Buffer = Buffer.alloc(0)
  const leave = (): void => {
    timer.cancel()
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
    try {
      const header = parseProxyHeader(received)
      if (header === undefined) return
      leave()
      socket.pause()
      if (header.address !== undefined) clients.set(socket, plainAddress(header.address))
      if (received.length > header.bytes) socket.unshift(received.subarray(header.bytes))
      serve()
      // In the next tick, and so before the socket is read again: the server sees the bytes in their order.
      socket.resume()
    } catch (error) {
      refuse(error as Error)
    }
  }
  const timer = clock.after(timeoutMs, () => refuse(new Error(`no PROXY header within ${timeoutMs} ms`)))
  socket.on('data', onData).on('error', refuse).on('close', leave)
}
