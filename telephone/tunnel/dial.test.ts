// Tests the end of a dial that was refused.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { systemClock } from '@vera-stack/shared/clock.ts'
import { expect, it } from 'vitest'
import { useLeakCheck } from '../../test/support/leak-check.ts'
import { dial } from './dial.ts'
import type { DialError } from './dial-error.ts'

useLeakCheck()

/** Dials a server that responds to the handshake with `respond`. Resolves with the failure. */
async function dialRefused(respond: (socket: Socket) => void, timeoutMs: number): Promise<DialError> {
  const server = createServer()
  const sockets: Socket[] = []
  server.on('upgrade', (_request, socket: Socket) => {
    sockets.push(socket)
    respond(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = new URL(`ws://127.0.0.1:${port}/_plugboard/tunnel`)
  try {
    return await new Promise<DialError>((resolve, reject) => {
      const options = { url, token: 't', agent: 'telephone/test', clock: systemClock, timeoutMs, env: {} }
      dial(options, { onFailure: resolve, onOpen: () => reject(new Error('it was refused')) })
    })
  } finally {
    server.close()
    const open = sockets.filter(socket => !socket.closed)
    await Promise.all(open.map(socket => new Promise(resolve => socket.once('close', resolve))))
  }
}

it('closes the connection of a refusal that the server would keep open', async () => {
  const { kind, status, retryAfterMs } = await dialRefused(socket => {
    socket.resume().once('end', () => socket.end())
    // Like a load balancer, the server sends no `Connection: close`.
    socket.write('HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 2\r\n\r\n{}')
  }, 10_000)
  expect([kind, status, retryAfterMs]).toEqual(['refused', 503, 2000])
})

it('reports only a bounded part of a refusal', async () => {
  const refusedWith = (response: string) =>
    dialRefused(socket => {
      socket.resume().once('end', () => socket.end())
      socket.write(response)
    }, 10_000)
  const long = 'x'.repeat(20_000)
  const body = JSON.stringify({ code: long, title: long, detail: long })
  const error = await refusedWith(`HTTP/1.1 403 No\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  expect(error.message).toMatch(/^x{150}…$/)
  expect(error.code?.length).toBeLessThan(100)
  const page = await refusedWith(`HTTP/1.1 403 ${'y'.repeat(10_000)}\r\nContent-Length: 0\r\n\r\n`)
  expect(page.message).toMatch(/^HTTP 403 y+…; this is not the public port of a Plugboard \(.*\)$/)
})

it.each([
  ['head', 'HTTP/1.1 101 Switching Protocols\r\nX: ', 'unreachable', undefined],
  ['refusal', 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 1000\r\n\r\n{', 'refused', 503],
])('fails at its deadline although bytes of a %s keep arriving', async (_name, start, kind, status) => {
  const error = await dialRefused(socket => {
    const timer = setInterval(() => socket.write(' '), 20)
    socket.on('error', () => undefined).on('close', () => clearInterval(timer))
    socket.resume().once('end', () => socket.destroy())
    socket.write(start)
  }, 500)
  expect([error.kind, error.status]).toEqual([kind, status])
})
