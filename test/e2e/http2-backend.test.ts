// An HTTP/2 server behind a Telephone, for clients of HTTP/1.1: WebSocket, interim responses, trailers.

import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { RawConnection } from '../support/http/raw-connection.ts'
import { HOST, useStack } from '../support/programs/stack.ts'

const stack = useStack({ withoutTelephone: true })
const server = createServer({ settings: { enableConnectProtocol: true } })
const sessions = new Set<ServerHttp2Session>()

beforeAll(async () => {
  server.on('session', session => sessions.add(session))
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => undefined)
    if (headers[':protocol'] === 'websocket') {
      stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat' })
      stream.pipe(stream)
      return
    }
    stream.additionalHeaders({ ':status': 103, link: '</a.css>; rel=preload' })
    stream.respond({ ':status': 200, 'content-type': 'text/plain' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-checksum': 'abc' }))
    stream.end(`${headers[':method']} ${headers[':path']} for ${headers[':authority']}`)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const target = `h2c://127.0.0.1:${(server.address() as AddressInfo).port}`
  stack.telephone = await stack.startTelephone({ target })
})
afterAll(() => {
  for (const session of sessions) session.destroy()
  server.close()
})

it('responds with its interim heads and trailers', async () => {
  const connection = await RawConnection.open(stack.port)
  await connection.send(`GET /a?b HTTP/1.1\r\nHost: ${HOST}\r\nTE: trailers\r\n\r\n`)
  expect(await connection.readHead()).toMatchObject({ status: 103 })
  const response = await connection.readResponse()
  expect(response).toMatchObject({ status: 200, trailers: [['x-checksum', 'abc']] })
  expect(response.body.toString()).toBe(`GET /a?b for ${HOST}`)
  connection.destroy()
})

it('accepts a WebSocket by an extended CONNECT', async () => {
  const connection = await RawConnection.open(stack.port)
  await connection.send(
    `GET /socket HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  )
  const head = await connection.readHead()
  expect(head.status).toBe(101)
  const fields = Object.fromEntries(head.headers.map(([name, value]) => [name.toLowerCase(), value]))
  expect(fields).toMatchObject({
    upgrade: 'websocket',
    'sec-websocket-accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
    'sec-websocket-protocol': 'chat',
  })
  await connection.send('bytes as they are')
  expect(await connection.readUntil('as they are')).toBe('bytes as they are')
  connection.destroy()
})
