// The interface between a session and the connection that carries its messages. The product uses a WebSocket
// (shared/net/websocket-transport.ts); tests use a pair in memory (test/support). This folder opens no socket.

export interface TransportReceiver {
  /** Receives one whole binary message. From now on the buffer belongs to the receiver. */
  onMessage(message: Buffer): void
  /** Called once, as the last event, after either end closed. `clean`: the peer closed in order, with `detail`. */
  onClose(end: { clean: boolean; detail: string }): void
}

export interface Transport {
  /** Bytes that were passed to `send` and have not left this process. */
  readonly bufferedBytes: number
  /** Bytes received so far, including those of an incomplete message. An increase shows that the peer is alive. */
  readonly receivedBytes: number
  /** Called once, before any message can arrive. */
  start(receiver: TransportReceiver): void
  /** Sends one binary message. Calls `sent` when the buffer may be reused, also when the transport is closed. */
  send(message: Buffer, sent: () => void): void
  /** Closes in order, after the messages that were sent before. `detail`: at most 100 bytes of ASCII for the peer's log. */
  close(detail: string): void
  /** Closes the connection at once and drops unsent bytes. */
  terminate(): void
}
