// Tests that the bytes which a slow backend or a slow client makes a Telephone hold are counted and stay within the budget.

import { createServer } from 'node:http'
import {
  createServer as createHttp2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo, Server, Socket } from 'node:net'
import { systemClock } from '@vera-stack/shared/clock.ts'
import { parseTarget } from '@vera-stack/shared/net/backend-target.ts'
import { HeldBytes, type Overrun } from '@vera-stack/shared/protocol/streams/held-bytes.ts'
import { afterEach, expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { memoryTransportPair } from '../../../test/support/session/memory-transport.ts'
import { Caller, tunnelPair } from '../../testing/tunnel-pair.ts'
import { Forwarder } from './forward.ts'
import { HttpBackend } from './http-backend.ts'

useLeakCheck()

const MIB = 2 ** 20
const cleanUp: (() => unknown)[] = []

afterEach(async () => {
  for (const close of cleanUp.splice(0).reverse()) await close()
})

async function listen(server: Server, end: () => void): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  cleanUp.push(() => {
    end()
    return new Promise(resolve => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}

async function telephone(target: string, budgetBytes: number) {
  const overruns: Overrun[] = []
  const held = new HeldBytes({ budgetBytes, onOverrun: overrun => overruns.push(overrun) })
  const web = new HttpBackend(parseTarget(target), systemClock, {})
  const forwarder = new Forwarder({ backends: new Map([['web', web]]), now: systemClock.now })
  const tunnel = await tunnelPair(
    memoryTransportPair(),
    (stream, opening) => forwarder.onStream(stream, opening),
    {},
    held,
  )
  cleanUp.push(() => forwarder.close())
  cleanUp.push(async () => {
    await tunnel.close()
    expect(held.heldBytes).toBe(0)
  })
  return { tunnel, held, overruns }
}

/** Uploads as fast as possible while the stream is open. */
function upload(caller: Caller): void {
  const more = () => {
    while (caller.stream.open && caller.stream.write(Buffer.alloc(65_536)));
  }
  caller.onWritable = more
  more()
}

it('uploads that the backend does not read stay within the budget; other requests are served', async () => {
  const sockets = new Set<Socket>()
  const server = createServer((req, res) => {
    if (req.method === 'GET') res.end('served')
    else req.pause()
  })
  server.on('connection', socket => sockets.add(socket))
  const port = await listen(server, () => {
    for (const socket of sockets) socket.destroy()
  })
  const { tunnel, held, overruns } = await telephone(`127.0.0.1:${port}`, 3 * MIB)
  const fields = ['Host', 'h', 'Transfer-Encoding', 'chunked']
  const callers = Array.from(
    { length: 24 },
    () => new Caller(tunnel.plugboard, { method: 'POST', fields }, false),
  )
  for (const caller of callers) upload(caller)
  await eventually('streams are reset', () => overruns.length > 0 || undefined)
  expect(held.heldBytes).toBeLessThanOrEqual(3 * MIB)
  await eventually('Plugboard receives the reason', () =>
    callers.some(({ error }) => error?.reason === 'over_budget') ? true : undefined,
  )
  const other = await new Caller(tunnel.plugboard, {}).until(c => c.over)
  expect([other.status, other.body]).toEqual([200, 'served'])
  expect(tunnel.telephone.state).toBe('open')
  for (const { stream } of callers) stream.reset('cancelled')
})

it('counts bytes of an HTTP/2 backend for a slow client, and drops them above the budget', async () => {
  const sessions = new Set<ServerHttp2Session>()
  const server = createHttp2Server()
  server.on('session', session => sessions.add(session))
  server.on('stream', opened => {
    const stream = opened as ServerHttp2Stream
    stream.on('error', () => undefined)
    stream.respond({ ':status': 200 })
    const more = () => {
      while (!stream.destroyed && stream.write(Buffer.alloc(65_536)));
    }
    stream.on('drain', more)
    more()
  })
  const port = await listen(server as unknown as Server, () => {
    for (const session of sessions) session.destroy()
  })
  const { tunnel, held, overruns } = await telephone(`h2c://127.0.0.1:${port}`, 2 * MIB)
  const stalled = () => {
    const caller = new Caller(tunnel.plugboard, {})
    caller.reading = false
    return caller
  }
  const first = stalled()
  // Its client has a window of 256 KiB; a window of HTTP/2, 512 KiB, waits here.
  await eventually('all of that waits', () => held.heldBytes >= 512 * 1024 || undefined)
  first.read()
  first.reading = true
  await first.until(c => c.bytes > 4 * MIB)
  first.stream.reset('cancelled')
  await eventually('nothing waits', () => held.heldBytes === 0 || undefined)
  const callers = Array.from({ length: 6 }, stalled)
  await eventually('streams are reset', () => overruns.length > 0 || undefined)
  expect(held.heldBytes).toBeLessThanOrEqual(2 * MIB)
  expect(tunnel.telephone.state).toBe('open')
  for (const { stream } of callers) stream.reset('cancelled')
})
