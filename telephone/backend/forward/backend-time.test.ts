// The time of the backend that the Telephone states in the head of a response (PROTOCOL.md, "Timing").

import { parseTarget } from '@vera-stack/shared/net/backend-target.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { memoryTransportPair } from '../../../test/support/session/memory-transport.ts'
import { ScriptedBackend } from '../../testing/scripted-backend.ts'
import { Caller, type TunnelPair, tunnelPair } from '../../testing/tunnel-pair.ts'
import type { Backend } from './backend.ts'
import { Forwarder } from './forward.ts'
import { HandlerBackend } from './handler-backend.ts'
import { HttpBackend } from './http-backend.ts'

useLeakCheck()

const clock = new ManualClock()
let tunnel: TunnelPair
let forwarder: Forwarder

async function serve(backend: Backend): Promise<void> {
  forwarder = new Forwarder({ backends: new Map([['web', backend]]), now: () => clock.now() })
  tunnel = await tunnelPair(memoryTransportPair(), (stream, opening) => forwarder.onStream(stream, opening))
}

afterEach(async () => {
  await tunnel.close()
  forwarder.close()
})

describe('an HTTP backend', () => {
  let scripted: ScriptedBackend

  beforeEach(async () => {
    scripted = await new ScriptedBackend().listen()
    await serve(new HttpBackend(parseTarget(`127.0.0.1:${scripted.port}`), clock))
  })
  afterEach(() => scripted.close())

  it('has the time from the request to the final head, without informational heads', async () => {
    const caller = new Caller(tunnel.plugboard, { fields: ['Host', 'h'] })
    const connection = await scripted.connection()
    await connection.request()
    clock.advance(1.5)
    connection.say('HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n')
    await caller.until(c => c.heads.length === 1)
    clock.advance(2)
    connection.say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n')
    await caller.until(c => c.heads.length === 2)
    clock.advance(100)
    connection.say('ok')
    await caller.until(c => c.ended)
    expect(caller.heads.map(({ backendUs }) => backendUs)).toEqual([undefined, 3500])
  })

  it('begins with the last byte of the request body', async () => {
    const caller = new Caller(tunnel.plugboard, { method: 'POST', fields: ['Host', 'h'] }, false)
    caller.send('slow')
    const connection = await scripted.connection()
    await connection.until(c => c.received.includes('slow'))
    clock.advance(60_000)
    caller.stream.end()
    await connection.until(c => c.received.endsWith('0\r\n\r\n'))
    clock.advance(7)
    connection.say('HTTP/1.1 204 No Content\r\n\r\n')
    await caller.until(c => c.ended)
    expect(caller.heads[0]?.backendUs).toBe(7000)
  })

  it('has the time until a response that comes before the end of the request body', async () => {
    const caller = new Caller(tunnel.plugboard, { method: 'POST', fields: ['Host', 'h'] }, false)
    caller.send('large')
    const connection = await scripted.connection()
    await connection.until(c => c.received.includes('large'))
    clock.advance(3)
    connection.say('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n')
    await caller.until(c => c.heads.length === 1)
    expect(caller.heads[0]?.backendUs).toBe(3000)
  })
})

describe('a fetch handler', () => {
  it('has the time until its response', async () => {
    await serve(
      new HandlerBackend(
        () => {
          clock.advance(12)
          return new Response('ok')
        },
        { clock },
      ),
    )
    const caller = await new Caller(tunnel.plugboard, {}).until(c => c.ended)
    expect(caller.heads[0]?.backendUs).toBe(12_000)
  })

  it('begins with the last byte of the request body', async () => {
    const called = Promise.withResolvers<void>()
    await serve(
      new HandlerBackend(
        async request => {
          called.resolve()
          const body = await request.text()
          clock.advance(5)
          return new Response(body)
        },
        { clock },
      ),
    )
    const caller = new Caller(tunnel.plugboard, { method: 'POST', fields: ['Host', 'h'] }, false)
    caller.send('a')
    await called.promise
    clock.advance(1000)
    caller.send('b').stream.end()
    await caller.until(c => c.ended)
    expect([caller.body, caller.heads[0]?.backendUs]).toEqual(['ab', 5000])
  })
})
