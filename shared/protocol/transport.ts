// What a session needs from the thing that carries its messages. The real one is a WebSocket
// (shared/websocket-transport.ts); tests use a pair in memory (test/support). This folder opens no socket.

export interface TransportReceiver {
  /** One whole binary message. The buffer belongs to the receiver from here on. */
  onMessage(message: Buffer): void
  /** Called once, whoever closed. Nothing follows. `clean`: the peer closed in order, with these words. */
  onClose(end: { clean: boolean; detail: string }): void
}

export interface Transport {
  /** Bytes given to `send` that have not yet left this process. */
  readonly bufferedBytes: number
  /** Bytes that have arrived on the wire so far, those of half a message too: the proof of life. */
  readonly receivedBytes: number
  /** Called once, before any message can arrive. */
  start(receiver: TransportReceiver): void
  /** Sends one binary message. `sent` runs once the buffer may be reused, also when the transport is gone. */
  send(message: Buffer, sent: () => void): void
  /** Closes in order: what was sent still goes out. `detail`: at most 100 bytes of ASCII for the peer's log. */
  close(detail: string): void
  /** Drops the connection at once, unsent bytes included. */
  terminate(): void
}
