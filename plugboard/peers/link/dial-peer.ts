// Makes one attempt to open a link to a replica: it opens the WebSocket, sends our token, and authenticates the far end as a
// replica of the cluster. peer-dialer.ts decides when to try again. After the dial, the session owns the connection.

import type { Socket } from 'node:net'
import type { Clock } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { TUNNEL_WEBSOCKET_OPTIONS, webSocketTransport } from '@vera-stack/shared/net/websocket-transport.ts'
import type { Transport } from '@vera-stack/shared/protocol/transport.ts'
import { SUBPROTOCOL } from '@vera-stack/shared/protocol/wire/version.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import { WebSocket } from 'ws'
import type { ReplicaId } from '../../common/ids/replica-id.ts'
import { ANSWER_FIELD, PEER_PATH } from './peer-endpoint.ts'
import type { PeerIdentity, PeerTokens } from './peer-tokens.ts'

/** Limit for TCP, TLS, the handshake and its authentication together, ms. */
const DIAL_TIMEOUT_MS = 3000

export interface DialPeerEvents {
  /** The far end is authenticated. The listener must start the transport before it returns. */
  onOpen(peer: PeerIdentity, transport: Transport): void
  /** `refused` is true when the far end responded with a lasting refusal, so that an early retry has no use. */
  onFailure(detail: string, refused: boolean): void
}

/**
 * Dials `address` (`http(s)://host:port`). `to` is the id of the expected replica, if known. Later calls exactly one of the
 * events. Returns a function that cancels the dial.
 */
export function dialPeer(
  address: string,
  to: ReplicaId | undefined,
  tokens: PeerTokens,
  clock: Clock,
  events: DialPeerEvents,
): () => void {
  let settled = false
  let webSocket: WebSocket | undefined
  const fail = (detail: string, refused = false): void => {
    webSocket?.terminate()
    if (settled) return
    settled = true
    deadline.cancel()
    events.onFailure(cutText(detail), refused)
  }
  // This deadline is needed because the timeout of ws starts again with every byte that arrives.
  const deadline = clock.after(DIAL_TIMEOUT_MS, () =>
    fail(`no complete response within ${DIAL_TIMEOUT_MS} ms`),
  )
  tokens.forDial(to).then(
    ({ token, nonce }) => {
      if (settled) return
      webSocket = open(address, token, fail, (opened, socket, responseField) => {
        // Reads no data before the far end is authenticated.
        opened.pause()
        tokens.verifyResponse(responseField, nonce).then(
          peer => {
            if (settled) return
            settled = true
            deadline.cancel()
            events.onOpen(peer, webSocketTransport(opened, socket))
            opened.resume()
          },
          error => fail(error instanceof VeraError ? error.message : String(error), true),
        )
      })
    },
    error => fail(String(error)),
  )
  return () => {
    settled = true
    deadline.cancel()
    webSocket?.terminate()
  }
}

function open(
  address: string,
  token: string,
  fail: (detail: string, refused?: boolean) => void,
  onOpen: (webSocket: WebSocket, socket: Socket, responseField: string) => void,
): WebSocket {
  const url = new URL(PEER_PATH, address)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  const webSocket = new WebSocket(url, SUBPROTOCOL, {
    headers: { Authorization: `Bearer ${token}` },
    ...TUNNEL_WEBSOCKET_OPTIONS,
    ...(maskingHasNoPurpose(url) && { generateMask: (mask: Buffer) => void mask.fill(0) }),
  })
  let socket: Socket | undefined
  let responseField = ''
  webSocket.on('upgrade', response => {
    socket = response.socket
    const field = response.headers[ANSWER_FIELD]
    responseField = typeof field === 'string' ? field : ''
  })
  webSocket.on('unexpected-response', (request, response) => {
    request.destroy()
    const { statusCode = 0 } = response
    fail(`it responded with status ${statusCode}`, statusCode === 401 || statusCode === 403)
  })
  // The listener stays for the life of the WebSocket, because a cancelled WebSocket still emits an error.
  webSocket.on('error', error => fail(error.message))
  webSocket.on('open', () => {
    if (socket !== undefined && webSocket.protocol === SUBPROTOCOL) onOpen(webSocket, socket, responseField)
    else fail(`it did not accept the subprotocol ${SUBPROTOCOL}`, true)
  })
  return webSocket
}

/** Masks protect intermediaries from bytes that a browser script chooses. TLS and loopback have no intermediary. */
function maskingHasNoPurpose({ protocol, hostname }: URL): boolean {
  return (
    protocol === 'wss:' || hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
  )
}
