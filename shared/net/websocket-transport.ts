// The transport of a session over one WebSocket of `ws`, for both ends. Only this file uses WebSockets; shared/protocol depends
// on the Transport interface alone.

import type { Socket } from 'node:net'
import { type RawData, WebSocket } from 'ws'
import { bytesPassed } from '../process/body-memory.ts'
import { MESSAGE_MAX_BYTES } from '../protocol/limits.ts'
import type { Transport, TransportReceiver } from '../protocol/transport.ts'
import { cutText } from '../text/cut-text.ts'

/** Time for the peer to respond to a close, ms. After it, the socket is destroyed. */
const CLOSE_TIMEOUT_MS = 1000

const NORMAL_CLOSURE = 1000

/**
 * Options for the WebSocket of both ends (PROTOCOL.md, "Connection" and "Limits"): no compression, and a bound for the size
 * of a message. The fragments and chunks of an incomplete message are bounded too, because even a small piece keeps its
 * buffer alive.
 */
export const TUNNEL_WEBSOCKET_OPTIONS = {
  perMessageDeflate: false,
  maxPayload: MESSAGE_MAX_BYTES,
  maxFragments: 256,
  maxBufferedChunks: 16_384,
} as const

/**
 * Returns the transport. `socket` is the connection under the WebSocket: its count of received bytes shows that the peer is
 * alive. The WebSocket must be open and have no message listener yet. A message that arrives before `start` would be lost.
 */
export function webSocketTransport(webSocket: WebSocket, socket: Socket): Transport {
  return new WebSocketTransport(webSocket, socket)
}

class WebSocketTransport implements Transport {
  readonly #webSocket: WebSocket
  readonly #socket: Socket
  #detail = ''
  #closeTimer: NodeJS.Timeout | undefined

  constructor(webSocket: WebSocket, socket: Socket) {
    this.#webSocket = webSocket
    this.#socket = socket
  }

  get bufferedBytes(): number {
    return this.#webSocket.bufferedAmount
  }

  get receivedBytes(): number {
    return this.#socket.bytesRead
  }

  start(receiver: TransportReceiver): void {
    this.#socket.setNoDelay(true)
    this.#webSocket.on('message', (data: RawData, binary: boolean) => {
      if (!binary) return this.#refuse('text message')
      const message = data as Buffer
      receiver.onMessage(message)
      bytesPassed(message.length)
    })
    this.#webSocket.on('error', error => {
      this.#detail ||= cutText(error.message)
    })
    this.#webSocket.on('close', (code, reason) => {
      clearTimeout(this.#closeTimer)
      const clean = code === NORMAL_CLOSURE
      receiver.onClose({ clean, detail: this.#detail || reason.toString() || `code ${code}` })
    })
  }

  send(message: Buffer, sent: () => void): void {
    bytesPassed(message.length)
    // An error of `send` is followed by 'close', whose handler reports it.
    this.#webSocket.send(message, { binary: true, compress: false }, () => sent())
  }

  close(detail: string): void {
    if (this.#webSocket.readyState === WebSocket.CLOSED) return
    this.#webSocket.close(NORMAL_CLOSURE, detail)
    this.#closeTimer ??= setTimeout(() => this.#webSocket.terminate(), CLOSE_TIMEOUT_MS)
  }

  terminate(): void {
    this.#webSocket.terminate()
  }

  /** Ends the connection. Messages that have arrived after the refused one are ignored. */
  #refuse(detail: string): void {
    this.#detail = detail
    this.#webSocket.removeAllListeners('message')
    this.#webSocket.terminate()
  }
}
