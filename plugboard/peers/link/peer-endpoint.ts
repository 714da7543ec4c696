// The peer port, on which other replicas dial in. A refused dial gets an HTTP response before the upgrade. After the upgrade, the
// session owns the connection. Connections without authentication are limited in number and time: each has 10 s for its
// handshake, and a new connection replaces the oldest one, so that peers can always connect.

import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { listHolds, repeatsField } from '@vera-stack/shared/http/headers.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { TUNNEL_WEBSOCKET_OPTIONS, webSocketTransport } from '@vera-stack/shared/net/websocket-transport.ts'
import type { Transport } from '@vera-stack/shared/protocol/transport.ts'
import { SUBPROTOCOL } from '@vera-stack/shared/protocol/wire/version.ts'
import { WebSocketServer } from 'ws'
import { IdleConnections } from '../../common/net/idle-connections.ts'
import type { PeerIdentity, PeerTokens } from './peer-tokens.ts'

export const PEER_PATH = '/_plugboard/peer'
/** The header field of the upgrade response that carries the acceptor's token. */
export const ANSWER_FIELD = 'plugboard-peer'

export interface PeerEndpointOptions {
  readonly tokens: PeerTokens
  /** Returns the reason to refuse dials now; undefined: dials are accepted. */
  readonly refusal: () => 'draining' | undefined
  readonly onPeer: (peer: PeerIdentity, transport: Transport, remoteAddress: string) => void
  /** Limit of open connections, authenticated or not. Default 1000. */
  readonly maxConnections?: number | undefined
  /** Time limit for the request of a dial. Default 10 s. */
  readonly handshakeTimeoutMs?: number | undefined
  readonly log: Logger
}

const MAX_CONNECTIONS = 1000
/** Most connections that are not authenticated yet. They are also at most half of all. */
const MAX_STRANGERS = 256
const HANDSHAKE_TIMEOUT_MS = 10_000

export class PeerEndpoint {
  readonly #options: PeerEndpointOptions
  readonly #server: Server
  readonly #responses = new WeakMap<IncomingMessage, string>()
  /** A connection is idle until its peer is authenticated. */
  readonly #connections: IdleConnections
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    ...TUNNEL_WEBSOCKET_OPTIONS,
    skipUTF8Validation: true,
    handleProtocols: () => SUBPROTOCOL,
  })

  constructor(options: PeerEndpointOptions) {
    this.#options = options
    const { maxConnections: max = MAX_CONNECTIONS } = options
    this.#connections = new IdleConnections({ max, maxIdle: Math.min(MAX_STRANGERS, max / 2) })
    this.#webSockets.on('headers', (headers, request) => {
      headers.push(`${ANSWER_FIELD}: ${this.#responses.get(request) ?? ''}`)
    })
    const timeoutMs = options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS
    this.#server = createServer({
      headersTimeout: timeoutMs,
      requestTimeout: timeoutMs,
      // How often Node checks the timeouts; the default is 30 s.
      connectionsCheckingInterval: Math.min(1000, Math.ceil(timeoutMs / 4)),
      maxHeaderSize: 8192,
    })
    this.#server.on('connection', socket => this.#connections.add(socket))
    this.#server.on('request', (_request, response) => {
      response.writeHead(404, { Connection: 'close' }).end()
    })
    this.#server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      // Ignores errors of the socket during the handshake, because the socket then closes.
      socket.on('error', () => undefined)
      void this.#accept(request, socket, head)
    })
  }

  listen(port: number, host: string | undefined): Promise<AddressInfo> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ port, ...(host !== undefined && { host }) }, () => {
        this.#server.off('error', reject)
        // The system cannot accept a connection (EMFILE, ENOBUFS). The listener continues.
        this.#server.on('error', error =>
          this.#options.log.error('the peer listener could not accept a connection', { err: error }),
        )
        resolve(this.#server.address() as AddressInfo)
      })
    })
  }

  /** Closes the listener and all connections. The caller has drained the sessions before. */
  async close(): Promise<void> {
    const closed = new Promise(resolve => this.#server.close(resolve))
    this.#connections.destroyAll()
    await closed
  }

  async #accept(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const status = handshakeStatus(request)
    if (status !== undefined) {
      respond(socket, status)
      return
    }
    const { tokens, refusal, onPeer, log } = this.#options
    try {
      const { nonce, ...peer } = await tokens.verifyDial(bearerToken(request.headers.authorization))
      this.#responses.set(request, await tokens.forResponse(nonce))
      if (socket.destroyed) return
      if (refusal() !== undefined) {
        respond(socket, 503)
        return
      }
      this.#connections.use(socket)
      this.#webSockets.handleUpgrade(request, socket, head, webSocket => {
        onPeer(peer, webSocketTransport(webSocket, socket), socket.remoteAddress ?? '')
      })
    } catch (error) {
      const known = error instanceof VeraError
      if (!known) log.error('peer not authenticated', { err: error })
      else
        log.warn('peer refused', {
          remoteAddress: socket.remoteAddress,
          code: error.code,
          detail: error.message,
        })
      respond(socket, known ? error.status : 500)
    }
  }
}

/** Returns the status code for an invalid upgrade request (RFC 6455, section 4.2.1); undefined for a valid one. */
function handshakeStatus({ method, url, headers, rawHeaders }: IncomingMessage): number | undefined {
  if (url !== PEER_PATH) return 404
  if (method !== 'GET') return 405
  if (!listHolds(headers.upgrade ?? '', 'websocket') || headers['sec-websocket-version'] !== '13') return 426
  if (!/^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? '')) return 400
  if (repeatsField(rawHeaders, 'authorization')) return 400
  return listHolds(headers['sec-websocket-protocol'] ?? '', SUBPROTOCOL) ? undefined : 400
}

function bearerToken(authorization: string | undefined): string {
  const match = /^bearer +([\w.~+/=-]+)$/i.exec(authorization ?? '')
  if (match?.[1] !== undefined) return match[1]
  throw new VeraError('unauthorized', 'The dial has no bearer token.')
}

function respond(socket: Socket, status: number): void {
  if (!socket.writable) return
  socket.write(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
  )
  // Closes both halves, because Node's server no longer watches a socket that it has handed over.
  socket.destroySoon()
}
