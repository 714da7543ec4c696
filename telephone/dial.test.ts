// What is left of a dial that was refused.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { expect, it } from 'vitest'
import { useLeakCheck } from '../test/support/leak-check.ts'
import { dial } from './dial.ts'
import type { DialError } from './dial-error.ts'

useLeakCheck()

/** Dials a server that responds with `response` and keeps the connection, as load balancers do. */
async function refusedWith(response: string): Promise<DialError> {
  const ended = Promise.withResolvers<void>()
  const server = createServer()
  server.on('upgrade', (_request, socket: Socket) => {
    socket.resume().once('end', () => {
      socket.end()
      ended.resolve()
    })
    socket.write(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = new URL(`ws://127.0.0.1:${port}/_plugboard/tunnel`)
  const error = await new Promise<DialError>((resolve, reject) => {
    const options = { url, token: 't', agent: 'telephone/test', timeoutMs: 10_000, env: {} }
    dial(options, { onFailure: resolve, onOpen: () => reject(new Error('it was refused')) })
  })
  await ended.promise
  server.close()
  return error
}

it('ends the connection of a refusal that the far end would keep', async () => {
  const error = await refusedWith(
    'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 2\r\n\r\n{}',
  )
  expect([error.kind, error.status, error.retryAfterMs]).toEqual(['refused', 503, 2000])
})

it('quotes a bounded part of a refusal', async () => {
  const long = 'x'.repeat(20_000)
  const body = JSON.stringify({ code: long, title: long, detail: long })
  const error = await refusedWith(`HTTP/1.1 403 No\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  expect(error.message).toMatch(/^x{150}…$/)
  expect(error.code?.length).toBeLessThan(100)
  const page = await refusedWith(`HTTP/1.1 403 ${'y'.repeat(10_000)}\r\nContent-Length: 0\r\n\r\n`)
  expect(page.message).toMatch(/^HTTP 403 y+…; is this the address of a Plugboard\?$/)
})
