// Rows U1 and U2: requests with Upgrade that stay plain HTTP.

import { CHUNKED, type EdgeRow, get, HOST, refusal } from './edge-row.ts'

const WEBSOCKET = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'

const upgradeTo = (protocol: string, more = ''): string =>
  get('/ws', `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n${WEBSOCKET}${more}`)

/** A request that is served without its upgrade, as the last one of its connection. */
function withoutUpgrade(name: string, send: string, body: string): EdgeRow {
  return {
    name,
    send: send + get('/hidden'),
    responses: [{ status: 200, body, fields: { connection: ['close'] } }],
    closes: true,
    received: [{ target: '/ws', fields: { upgrade: [] } }],
  }
}

export const UPGRADES: readonly EdgeRow[] = [
  ...['h2c', 'HTTP/2.0', 'TLS/1.0', 'websocket, h2c', 'foo, h2c'].map(protocol =>
    withoutUpgrade(`U1 an upgrade to ${protocol} is ignored`, upgradeTo(protocol), 'GET /ws '),
  ),
  ...['GET', 'POST'].map(method =>
    withoutUpgrade(
      `U1 an upgrade of ${method} with a body is ignored`,
      `${upgradeTo('websocket', 'Content-Length: 3\r\n').replace('GET', method)}abc`,
      `${method} /ws abc`,
    ),
  ),
  ...['chunked', 'chunked\t'].map(coding =>
    refusal(
      `U1 an upgrade with Transfer-Encoding: ${JSON.stringify(coding)} is refused`,
      `POST /ws HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n` +
        `${CHUNKED.replace('chunked', coding)}\r\n3\r\nabc\r\n0\r\n\r\n`,
    ),
  ),
  refusal('U1 an upgrade behind a malformed request', get('/%00') + upgradeTo('websocket')),
  {
    name: 'U1 an Upgrade that Connection does not name is removed',
    send: get('/ws', `Upgrade: websocket\r\n${WEBSOCKET}`),
    received: [{ fields: { upgrade: [] } }],
  },
  ...[200, 403, 426].map(
    (status): EdgeRow => ({
      name: `U2 ${status} instead of 101 is plain HTTP, and bytes behind the request are dropped`,
      send: upgradeTo('websocket') + get('/hidden'),
      backend: { status, fields: [['X', 'y']], body: 'plain' },
      responses: [{ status, body: 'plain', fields: { x: ['y'], connection: ['close'] } }],
      closes: true,
      // A stream of the tunnel that waits for an upgrade has no end of its request.
      received: [{ target: '/ws', state: 'any' }],
    }),
  ),
]
