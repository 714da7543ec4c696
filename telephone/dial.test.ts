// What is left of a dial that was refused.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { expect, it } from 'vitest'
import { useLeakCheck } from '../test/support/leak-check.ts'
import { dial } from './dial.ts'
import type { DialError } from './dial-error.ts'

useLeakCheck()

it('ends the connection of a refusal that the far end would keep', async () => {
  const ended = Promise.withResolvers<void>()
  const server = createServer()
  server.on('upgrade', (_request, socket: Socket) => {
    socket.resume().once('end', () => {
      socket.end()
      ended.resolve()
    })
    // As a load balancer does: no `Connection: close`.
    socket.write('HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 2\r\n\r\n{}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = new URL(`ws://127.0.0.1:${port}/_plugboard/tunnel`)
  const error = await new Promise<DialError>((resolve, reject) => {
    const options = { url, token: 't', agent: 'telephone/test', timeoutMs: 10_000, env: {} }
    dial(options, { onFailure: resolve, onOpen: () => reject(new Error('it was refused')) })
  })
  expect([error.kind, error.status, error.retryAfterMs]).toEqual(['refused', 503, 2000])
  await ended.promise
  server.close()
})
