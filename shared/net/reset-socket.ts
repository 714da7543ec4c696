// Aborts a TCP connection with RST, so that the peer cannot take it for an orderly end (RFC 9293 section 3.5.2).

import type { Socket } from 'node:net'

/**
 * Resets the connection. `transport` is the TCP connection under `socket`, when `socket` is a TLS socket. While Node shuts down
 * the sending half, it cannot reset (Node 20 to 26): it reports EINVAL and loses the handle, so the connection stays open for
 * ever and keeps the process alive. The shutdown takes one turn of the event loop, so the reset waits for it.
 */
export function resetSocket(socket: Socket, transport: Socket = socket): void {
  const ending = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
  if (!ending || socket.destroyed) {
    transport.resetAndDestroy()
    return
  }
  socket.pause()
  socket.once('finish', () => transport.resetAndDestroy())
}
