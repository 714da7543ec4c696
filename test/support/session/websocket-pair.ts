// A real WebSocket over loopback with both ends in this process. Both ends have the tunnel's options of
// shared/net/websocket-transport.ts. Tests use the raw sockets to cause faults.

import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { TUNNEL_WEBSOCKET_OPTIONS, webSocketTransport } from '@vera-stack/shared/net/websocket-transport.ts'
import { SUBPROTOCOL } from '@vera-stack/shared/protocol/wire/version.ts'
import { afterEach } from 'vitest'
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws'

export interface WebSocketPair {
  readonly client: WebSocket
  readonly clientSocket: Socket
  readonly server: WebSocket
  readonly serverSocket: Socket
  /** Header fields of the upgrade request and of its response. */
  readonly requestHeaders: NodeJS.Dict<string | string[]>
  readonly responseHeaders: NodeJS.Dict<string | string[]>
}

/**
 * Returns a function that creates pairs with both ends open. The pairs are closed after each test of the calling file or block.
 * The argument of the function has options that replace those of the client.
 */
export function useWebSocketPairs(): (client?: ClientOptions) => Promise<WebSocketPair> {
  const closers: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const close of closers.splice(0)) await close()
  })
  return client => openPair(client ?? {}, closers)
}

async function openPair(client: ClientOptions, closers: (() => Promise<void>)[]): Promise<WebSocketPair> {
  const http = createServer()
  const acceptor = new WebSocketServer({ server: http, ...TUNNEL_WEBSOCKET_OPTIONS })
  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve))
  const { port } = http.address() as AddressInfo
  const dialer = new WebSocket(`ws://127.0.0.1:${port}`, SUBPROTOCOL, {
    ...TUNNEL_WEBSOCKET_OPTIONS,
    ...client,
  })
  const accepted = Promise.withResolvers<Pick<WebSocketPair, 'server' | 'serverSocket' | 'requestHeaders'>>()
  const upgraded = Promise.withResolvers<Pick<WebSocketPair, 'clientSocket' | 'responseHeaders'>>()
  acceptor.once('connection', (server, request) =>
    accepted.resolve({ server, serverSocket: request.socket, requestHeaders: request.headers }),
  )
  dialer.once('upgrade', response =>
    upgraded.resolve({ clientSocket: response.socket, responseHeaders: response.headers }),
  )
  const pair = { client: dialer, ...(await accepted.promise), ...(await upgraded.promise) }
  if (dialer.readyState !== WebSocket.OPEN) await new Promise(resolve => dialer.once('open', resolve))
  closers.push(async () => {
    for (const socket of [pair.clientSocket, pair.serverSocket]) socket.destroy()
    await new Promise(resolve => http.close(resolve))
  })
  return pair
}

/** Returns the transports of both ends. */
export function transportsOf(pair: WebSocketPair) {
  return {
    dialer: webSocketTransport(pair.client, pair.clientSocket),
    acceptor: webSocketTransport(pair.server, pair.serverSocket),
  }
}
