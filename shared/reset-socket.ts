// Breaks a TCP connection off by RST, which nobody takes for an orderly end (RFC 9293 section 3.5.2).

import type { Socket } from 'node:net'

/**
 * `transport`: the TCP connection, when `socket` is what was decrypted from it. While the end of our half is on its way
 * to the kernel, Node cannot reset: it says EINVAL and loses the connection, which then stays open, and keeps the
 * process from ending, for ever (20 to 26). That takes one turn of the event loop; so long the reset waits.
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
