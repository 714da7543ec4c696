// The orderly end of a connection whose client may still be sending: Plugboard ends its own half, then reads and
// discards bytes until the client ends its half, up to a deadline (discard-deadline.ts). A parser must not see these
// bytes: they belong to no request.

import type { Socket } from 'node:net'
import type { Deadlines } from '../deadlines.ts'
import { DiscardDeadline } from './discard-deadline.ts'

export function closeLingering(socket: Socket, deadlines: Deadlines): void {
  const deadline = new DiscardDeadline(deadlines, () => socket.destroy())
  socket.once('close', () => deadline.stop())
  // Node's HTTP server reads its sockets inside the parser. The first other listener for 'data' ends that.
  socket.removeAllListeners('data')
  socket.on('data', () => deadline.moved())
  socket.end()
  socket.resume()
}
