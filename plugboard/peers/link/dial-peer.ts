// One attempt to open a link to a replica: the WebSocket, our token, the proof that the far end belongs to the
// cluster too. When to try again is peer-dialer.ts's; what is spoken afterwards the session's.

import type { Socket } from 'node:net'
import type { Clock } from '@vera-stack/shared/clock.ts'
import { cutText } from '@vera-stack/shared/cut-text.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Transport } from '@vera-stack/shared/protocol/transport.ts'
import { SUBPROTOCOL } from '@vera-stack/shared/protocol/wire/version.ts'
import { TUNNEL_WEBSOCKET_OPTIONS, webSocketTransport } from '@vera-stack/shared/websocket-transport.ts'
import { WebSocket } from 'ws'
import type { ReplicaId } from '../../common/replica-id.ts'
import { ANSWER_FIELD, PEER_PATH } from './peer-endpoint.ts'
import type { PeerIdentity, PeerTokens } from './peer-tokens.ts'

/** Limit for TCP, TLS, the handshake and its authentication together, ms. */
const DIAL_TIMEOUT_MS = 3000

export interface DialPeerEvents {
  /** Proved. The transport must be started before this returns. */
  onOpen(peer: PeerIdentity, transport: Transport): void
  /** `refused`: it answered, and no waiting will change what it said. */
  onFailure(detail: string, refused: boolean): void
}

/** `address`: `http(s)://host:port`; `to`: who should be there, where that is known. Calls exactly one of the events, later. Returns a way to give up. */
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
  // We keep a deadline of our own, because the timeout of ws starts again with every byte that arrives.
  const deadline = clock.after(DIAL_TIMEOUT_MS, () =>
    fail(`no complete response within ${DIAL_TIMEOUT_MS} ms`),
  )
  tokens.forDial(to).then(
    ({ token, nonce }) => {
      if (settled) return
      webSocket = open(address, token, fail, (opened, socket, answer) => {
        // Nothing is read until the far end is proved.
        opened.pause()
        tokens.verifyAnswer(answer, nonce).then(
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
  onOpen: (webSocket: WebSocket, socket: Socket, answer: string) => void,
): WebSocket {
  const url = new URL(PEER_PATH, address)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  const webSocket = new WebSocket(url, SUBPROTOCOL, {
    headers: { Authorization: `Bearer ${token}` },
    ...TUNNEL_WEBSOCKET_OPTIONS,
    ...(maskingHasNoPurpose(url) && { generateMask: (mask: Buffer) => void mask.fill(0) }),
  })
  let socket: Socket | undefined
  let answer = ''
  webSocket.on('upgrade', response => {
    socket = response.socket
    const field = response.headers[ANSWER_FIELD]
    answer = typeof field === 'string' ? field : ''
  })
  webSocket.on('unexpected-response', (request, response) => {
    request.destroy()
    const { statusCode = 0 } = response
    fail(`it answers ${statusCode}`, statusCode === 401 || statusCode === 403)
  })
  // Stays for the life of the WebSocket: one that is given up reports an error that nobody waits for.
  webSocket.on('error', error => fail(error.message))
  webSocket.on('open', () => {
    if (socket !== undefined && webSocket.protocol === SUBPROTOCOL) onOpen(webSocket, socket, answer)
    else fail('it is no replica', true)
  })
  return webSocket
}

/** Masks keep scripts in browsers from choosing what an intermediary reads: within TLS, on loopback, there is none. */
function maskingHasNoPurpose({ protocol, hostname }: URL): boolean {
  return (
    protocol === 'wss:' || hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
  )
}
