// The fields that Node's server reads, compared with those of Node's own request object.

import { once } from 'node:events'
import { createServer, IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ProxyHarness } from '../../../test/support/harness/proxy-harness.ts'
import { rawExchange } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { LeanRequest } from './lean-request.ts'

useLeakCheck()

const READ_BY_NODE = ['content-length', 'transfer-encoding', 'expect', 'te'] as const

let server: Server
const seen: { lean: unknown[]; full: unknown[] }[] = []

beforeEach(async () => {
  seen.length = 0
  server = createServer({ IncomingMessage: LeanRequest, requireHostHeader: false })
  const note = (req: IncomingMessage) => {
    const full = Reflect.get(IncomingMessage.prototype, 'headers', req) as Record<string, unknown>
    seen.push({
      lean: READ_BY_NODE.map(name => req.headers[name]),
      full: READ_BY_NODE.map(name => full[name]),
    })
  }
  for (const event of ['request', 'checkContinue', 'checkExpectation'] as const) {
    server.on(event, (req, res) => {
      note(req)
      res.writeHead(204, { connection: 'close' }).end()
    })
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})

afterEach(async () => {
  const closed = once(server, 'close')
  server.close()
  await closed
})

it.each([
  ['no field', 'GET / HTTP/1.1\r\n\r\n'],
  ['a length in mixed case', 'POST / HTTP/1.1\r\ncOnTent-LENGTH: 0\r\n\r\n'],
  ['a chunked body', 'POST / HTTP/1.1\r\nTRANSFER-encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['an expectation', 'POST / HTTP/1.1\r\nEXPECT: 100-continue\r\nContent-Length: 0\r\n\r\n'],
  ['two expectations', 'GET / HTTP/1.1\r\nExpect: x\r\nexpect: 100-continue\r\n\r\n'],
  ['TE in HTTP/1.0', 'GET / HTTP/1.0\r\nTe: trailers\r\nTE: chunked\r\n\r\n'],
  ['names that only look alike', 'GET / HTTP/1.1\r\nExpecT-X: a\r\nContent_Length: 3\r\nAccept: b\r\n\r\n'],
])('returns the same values as Node: %s', async (_, bytes) => {
  await rawExchange((server.address() as AddressInfo).port, bytes)
  expect(seen).toHaveLength(1)
  expect(seen[0]?.lean).toEqual(seen[0]?.full)
})

it('has all fields of an upgrade', async () => {
  const upgraded = Promise.withResolvers<unknown>()
  server.on('upgrade', (req: IncomingMessage, socket) => {
    upgraded.resolve(req.headers['sec-websocket-key'])
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
  })
  const head = 'GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n'
  await rawExchange((server.address() as AddressInfo).port, head)
  expect(await upgraded.promise).toBe('k')
})

it('brings the body of a length in mixed case through the public port', async () => {
  const harness = await ProxyHarness.start()
  try {
    const telephone = await harness.telephone()
    telephone.handler = call => void call.ended.then(({ body }) => call.respond(200, `got ${body}`))
    const head = 'POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\ncontent-LENGTH: 3\r\n\r\nabc'
    expect((await rawExchange(harness.port, head)).body.toString()).toBe('got abc')
  } finally {
    await harness.close()
  }
})
