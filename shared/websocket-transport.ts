// A session's transport over one WebSocket of `ws`, the same for both ends. The only file here that knows
// WebSockets; shared/protocol sees the Transport interface alone.

import type { Socket } from 'node:net'
import { type RawData, WebSocket } from 'ws'
import { bytesPassed } from './body-memory.ts'
import { cutText } from './cut-text.ts'
import { MESSAGE_MAX_BYTES } from './protocol/limits.ts'
import type { Transport, TransportReceiver } from './protocol/transport.ts'

/** Time for the peer to answer a close, ms; then the socket is destroyed. */
const CLOSE_TIMEOUT_MS = 1000

const NORMAL_CLOSURE = 1000

/**
 * For the WebSocket of either end (PROTOCOL.md, "Connection" and "Limits"): no compression, no larger messages. A message
 * that has not ended may wait in so many pieces: each keeps a buffer alive, however few bytes of it it is.
 */
export const TUNNEL_WEBSOCKET_OPTIONS = {
  perMessageDeflate: false,
  maxPayload: MESSAGE_MAX_BYTES,
  maxFragments: 256,
  maxBufferedChunks: 16_384,
} as const

/**
 * `socket`: the connection under the WebSocket, whose byte count is the proof of life. The WebSocket must be
 * open, with no message listener yet; messages that come before `start` would be lost.
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
    // An error here is followed by 'close', which is where it is told.
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

  /** Ends it for good: messages that have arrived behind the refused one do not count. */
  #refuse(detail: string): void {
    this.#detail = detail
    this.#webSocket.removeAllListeners('message')
    this.#webSocket.terminate()
  }
}
