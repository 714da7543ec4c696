// Computes the accept value of a WebSocket handshake (RFC 6455 section 4.2.2). A handshake over HTTP/2 has no such value, so a
// hop between HTTP/2 and HTTP/1.1 has to add it.

import { createHash } from 'node:crypto'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** Returns Sec-WebSocket-Accept for the client's Sec-WebSocket-Key. */
export function webSocketAccept(key: string): string {
  return createHash('sha1').update(`${key}${GUID}`).digest('base64')
}
