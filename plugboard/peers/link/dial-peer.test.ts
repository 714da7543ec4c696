import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { expect, it } from 'vitest'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import { newIncarnation } from '../../registry/incarnation.ts'
import { dialPeer } from './dial-peer.ts'
import { PeerTokens } from './peer-tokens.ts'

useLeakCheck()

it('fails 3 s after its start, even when bytes keep arriving', async () => {
  const clock = new ManualClock()
  const server = createServer()
  const upgraded = Promise.withResolvers<Socket>()
  server.on('upgrade', (_request, socket: Socket) => {
    socket
      .on('error', () => undefined)
      .write('HTTP/1.1 101 Switching Protocols\r\nX: ', () => upgraded.resolve(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const tokens = new PeerTokens(
    ['secret'],
    { id: asReplicaId('one'), incarnation: newIncarnation(1000, () => 0.5) },
    clock,
  )
  const failure = new Promise<string>((resolve, reject) => {
    dialPeer(`http://127.0.0.1:${port}`, undefined, tokens, clock, {
      onOpen: () => reject(new Error('it was opened')),
      onFailure: resolve,
    })
  })
  const socket = await upgraded.promise
  const closed = new Promise(resolve => socket.resume().once('close', resolve))
  for (let passedMs = 0; passedMs < 3000; passedMs += 1000) {
    await new Promise(resolve => socket.write('x', resolve))
    clock.advance(1000)
  }
  expect(await failure).toBe('no complete response within 3000 ms')
  await closed
  expect(clock.pendingTimers).toBe(0)
  server.close()
})
