// Accepts the dials of telephones at `/_plugboard/tunnel`. It checks the WebSocket handshake (RFC 6455), then the token. Each
// failed check gets an HTTP response with a reason, before the upgrade. After the upgrade, the session owns the connection.

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { ClientShares, DEFAULT_CLIENT_SHARE_PERCENT } from '@vera-stack/shared/client-shares.ts'
import { type ErrorCode, VeraError } from '@vera-stack/shared/errors.ts'
import { listHolds, repeatsField } from '@vera-stack/shared/http/headers.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { TUNNEL_WEBSOCKET_OPTIONS, webSocketTransport } from '@vera-stack/shared/net/websocket-transport.ts'
import { SUBPROTOCOL } from '@vera-stack/shared/protocol/wire/version.ts'
import { WebSocketServer } from 'ws'
import { addressGroup } from '../common/net/address-group.ts'
import type { Switchboard } from './switchboard.ts'
import type { Authenticator, Credential } from './tokens/authenticate.ts'

/** An upgrade request for the tunnel path. From here on, the endpoint owns the socket. */
export interface TunnelRequest {
  readonly req: IncomingMessage
  readonly socket: Socket
  /** Bytes that were received after the request. */
  readonly head: Buffer
  readonly remoteAddress: string
  readonly requestId: string
  /** Responds with a problem document and closes the connection. */
  refuse(code: ErrorCode, detail?: string, extraFields?: readonly string[]): void
}

/** Accepts the tunnel requests of the public port. */
export interface TunnelAcceptor {
  accept(request: TunnelRequest): void
}

export interface TunnelEndpointOptions {
  readonly authenticator: Pick<Authenticator, 'authenticate'>
  readonly switchboard: Pick<Switchboard, 'admit' | 'connect' | 'refusal'>
  readonly log: Logger
  /** Limit of handshakes in progress at once. */
  readonly maxPending?: number | undefined
  /** Share of them that one client address (IPv6: one /64) may hold, in percent. */
  readonly clientSharePercent?: number | undefined
}

const DEFAULT_MAX_PENDING = 1000

export class TunnelEndpoint implements TunnelAcceptor {
  readonly #options: TunnelEndpointOptions
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    ...TUNNEL_WEBSOCKET_OPTIONS,
    skipUTF8Validation: true,
    handleProtocols: () => SUBPROTOCOL,
  })
  /** Handshakes in progress, by client. A handshake that waits for the keys of an outside issuer takes seconds. */
  readonly #pending: ClientShares

  constructor(options: TunnelEndpointOptions) {
    // `telephone check` compares the clocks.
    this.#webSockets.on('headers', fields => fields.push(`Date: ${new Date().toUTCString()}`))
    this.#options = options
    this.#pending = new ClientShares(options.clientSharePercent ?? DEFAULT_CLIENT_SHARE_PERCENT)
  }

  accept(request: TunnelRequest): void {
    const client = addressGroup(request.remoteAddress)
    const refusal = this.#refusalOf(client)
    if (refusal !== undefined) request.refuse(refusal)
    else if (isHandshake(request)) void this.#authenticate(request, client)
  }

  #refusalOf(client: string): ErrorCode | undefined {
    const { switchboard, maxPending = DEFAULT_MAX_PENDING } = this.#options
    if (switchboard.refusal !== undefined) return switchboard.refusal
    if (this.#pending.held >= maxPending) return 'overloaded'
    return this.#pending.allows(client, maxPending) ? undefined : 'concurrency_limited'
  }

  async #authenticate(request: TunnelRequest, client: string): Promise<void> {
    this.#pending.add(client)
    try {
      const token = bearerToken(request.req.headers.authorization)
      const credential = await this.#options.authenticator.authenticate(token)
      if (request.socket.destroyed) return
      const refusal = this.#options.switchboard.refusal
      if (refusal !== undefined) {
        request.refuse(refusal)
        return
      }
      this.#options.switchboard.admit(credential)
      this.#upgrade(request, credential)
    } catch (error) {
      this.#refuse(request, error)
    } finally {
      this.#pending.remove(client)
    }
  }

  #upgrade({ req, socket, head, remoteAddress }: TunnelRequest, credential: Credential): void {
    this.#webSockets.handleUpgrade(req, socket, head, webSocket => {
      this.#options.switchboard.connect(webSocketTransport(webSocket, socket), credential, remoteAddress)
    })
  }

  #refuse(request: TunnelRequest, error: unknown): void {
    if (!(error instanceof VeraError)) {
      this.#options.log.error('telephone not authenticated', { requestId: request.requestId, err: error })
      request.refuse('internal_error')
      return
    }
    this.#options.log.info('telephone refused', {
      requestId: request.requestId,
      remoteAddress: request.remoteAddress,
      code: error.code,
      detail: error.message,
    })
    const challenge = error.status === 401 ? ['WWW-Authenticate', 'Bearer error="invalid_token"'] : []
    request.refuse(error.code, error.message, challenge)
  }
}

/** Returns true for a valid handshake (RFC 6455, section 4.2.1) with our subprotocol. Otherwise refuses the request. */
function isHandshake({ req, refuse }: TunnelRequest): boolean {
  const { headers } = req
  if (req.method !== 'GET') refuse('method_not_allowed', 'The request for a tunnel must use the method GET.')
  else if (!listHolds(headers.upgrade ?? '', 'websocket')) refuse('upgrade_required')
  else if (headers['sec-websocket-version'] !== '13') {
    refuse('upgrade_required', 'Only WebSocket version 13 is supported.', ['Sec-WebSocket-Version', '13'])
  } else if (!/^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? '')) {
    refuse('bad_request', 'Sec-WebSocket-Key is missing or malformed.')
  } else if (!listHolds(headers['sec-websocket-protocol'] ?? '', SUBPROTOCOL)) {
    refuse('bad_request', `Sec-WebSocket-Protocol must offer the subprotocol ${SUBPROTOCOL}.`)
  } else if (repeatsField(req.rawHeaders, 'authorization')) {
    refuse('bad_request', 'The request has more than one Authorization field. Send one token.')
  } else return true
  return false
}

function bearerToken(authorization: string | undefined): string {
  const match = /^bearer +([\w.~+/=-]+)$/i.exec(authorization ?? '')
  if (match?.[1] !== undefined) return match[1]
  throw new VeraError('unauthorized', 'Send the token as "Authorization: Bearer …".')
}
