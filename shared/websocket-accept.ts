// The proof of a WebSocket handshake (RFC 6455 section 4.2.2), for the two places where a hop of HTTP/2 has none and one
// of HTTP/1.1 wants it.

import { createHash } from 'node:crypto'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** Sec-WebSocket-Accept, from the client's Sec-WebSocket-Key. */
export function webSocketAccept(key: string): string {
  return createHash('sha1').update(`${key}${GUID}`).digest('base64')
}
