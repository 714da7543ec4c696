// Tests that a client holds at most its share of the connections of a backend, and that a slow upload holds no connection while few
// are free. The requests go through a tunnel to backends of both versions of HTTP.

import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { parseTarget } from '@vera-stack/shared/net/backend-target.ts'
import type { Opening } from '@vera-stack/shared/protocol/streams/stream.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { memoryTransportPair } from '../../../test/support/session/memory-transport.ts'
import { type BackendConnection, ScriptedBackend } from '../../testing/scripted-backend.ts'
import { Caller, type TunnelPair, tunnelPair } from '../../testing/tunnel-pair.ts'
import { Forwarder } from './forward.ts'
import { HttpBackend, type HttpBackendOptions } from './http-backend.ts'

useLeakCheck()

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const LAST = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok'

let clock: ManualClock
let forwarder: Forwarder
let tunnel: TunnelPair

async function start(target: string, options: HttpBackendOptions): Promise<void> {
  const web = new HttpBackend(parseTarget(target), clock, options)
  forwarder = new Forwarder({ backends: new Map([['web', web]]), now: clock.now.bind(clock) })
  tunnel = await tunnelPair(memoryTransportPair(), (stream, opening) => forwarder.onStream(stream, opening))
}

const get = (client: string, target = '/'): Caller => new Caller(tunnel.plugboard, { client, target })

/** An upload that has begun, with the bytes that it has sent. */
function upload(client: string, text: string, more: Partial<Opening> = {}): Caller {
  const fields = ['Host', 'a.test', 'Content-Length', '100000']
  const caller = new Caller(tunnel.plugboard, { client, method: 'POST', fields, ...more }, false)
  return text === '' ? caller : caller.send(text)
}

/** Resolves when the tunnel has delivered all bytes that were sent before. */
async function delivered(): Promise<void> {
  const echo = new Caller(tunnel.plugboard, { kind: 'echo' }, false)
  echo.send('x')
  await echo.until(({ body }) => body === 'x')
  echo.stream.end()
  await echo.until(({ ended }) => ended)
}

beforeEach(() => {
  clock = new ManualClock()
})
afterEach(async () => {
  await tunnel.close()
  forwarder.close()
})

describe('connections of HTTP/1.1', () => {
  let backend: ScriptedBackend

  beforeEach(async () => {
    backend = await new ScriptedBackend().listen()
    await start(`127.0.0.1:${backend.port}`, { maxConnections: 4, maxWaiting: 4, maxWaitMs: 1000 })
  })
  afterEach(() => backend.close())

  const respond = async (number: number): Promise<string> => {
    const connection = await backend.connection(number)
    const head = await connection.request()
    connection.say(OK)
    return head
  }

  it('are used by one client up to its share; its next request waits, and requests of others do not', async () => {
    const slow = [get('a'), get('a'), get('a')]
    const waiting = get('a', '/waiting')
    await Promise.all([0, 1, 2].map(async number => (await backend.connection(number)).request()))
    const other = get('b', '/other')
    expect(await respond(3)).toContain('GET /other ')
    await other.until(({ ended }) => ended)
    // The connection of the other client is idle now. The client that holds its share still cannot use it.
    await delivered()
    expect([waiting.over, backend.connections.length]).toEqual([false, 4])
    slow[0]?.stream.reset('cancelled')
    expect(await respond(3)).toContain('GET /waiting ')
    await waiting.until(({ ended }) => ended)
  })

  it('have a separate reason for a wait without success, as for a full queue', async () => {
    for (let number = 0; number < 3; number += 1) get('a')
    const waiting = [get('a'), get('a'), get('a')]
    const tooMany = get('a')
    await tooMany.until(({ over }) => over)
    expect(tooMany.error?.reason).toBe('client_share')
    clock.advance(1000)
    for (const caller of waiting) {
      await caller.until(({ over }) => over)
      expect(caller.error).toMatchObject({ reason: 'client_share', delivered: 'no' })
    }
  })

  it('have no share for requests without a client, as from an older Plugboard', async () => {
    for (let number = 0; number < 4; number += 1) get('')
    await backend.connection(3)
    const waiting = get('')
    await delivered()
    clock.advance(1000)
    await waiting.until(({ over }) => over)
    expect(waiting.error?.reason).toBe('overloaded')
  })

  it.each<[how: string, reused: boolean, end: (connection: BackendConnection, caller: Caller) => void]>([
    ['a response', true, connection => connection.say(OK)],
    ['the client', false, (_, caller) => caller.stream.reset('cancelled')],
    ['the end of the connection', false, ({ socket }) => void socket.destroy()],
    ['a last response', false, connection => connection.say(LAST)],
    ['nonsense of the backend', false, connection => connection.say('nonsense\r\n\r\n')],
  ])('are released when a request ends by %s', async (_, reused, end) => {
    const callers = [get('a'), get('a'), get('a')]
    for (const [number, caller] of callers.entries()) {
      const connection = await backend.connection(number)
      await connection.request()
      end(connection, caller)
      if (caller.stream.open) await caller.until(({ over }) => over)
    }
    const next = [get('a', '/next'), get('a', '/next'), get('a', '/next')]
    const numbers = reused ? [0, 1, 2] : [3, 4, 5]
    for (const heads of await Promise.all(numbers.map(respond))) expect(heads).toContain('GET /next ')
    await Promise.all(next.map(caller => caller.until(({ ended }) => ended)))
  })

  it('do not count a WebSocket, whose connection never returns to the pool', async () => {
    const fields = ['Host', 'a.test', 'Connection', 'Upgrade', 'Upgrade', 'websocket']
    for (let number = 0; number < 6; number += 1) {
      const socket = new Caller(tunnel.plugboard, { client: 'a', kind: 'upgrade', fields }, false)
      const connection = await backend.connection(number)
      await connection.request()
      connection.say('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      await socket.until(({ status }) => status === 101)
    }
  })

  it('that are upgraded have a separate share if they have a limit', async () => {
    await tunnel.close()
    forwarder.close()
    await start(`127.0.0.1:${backend.port}`, { maxConnections: 4, maxDetached: 4 })
    const fields = ['Host', 'a.test', 'Connection', 'Upgrade', 'Upgrade', 'websocket']
    const ask = (client: string) => new Caller(tunnel.plugboard, { client, kind: 'upgrade', fields }, false)
    const sockets: Caller[] = []
    const upgraded = async (client: string, number: number): Promise<void> => {
      const caller = ask(client)
      sockets.push(caller)
      const connection = await backend.connection(number)
      await connection.request()
      connection.say('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      await caller.until(({ status }) => status === 101)
    }
    for (let number = 0; number < 3; number += 1) await upgraded('a', number)
    const refused = ask('a')
    await refused.until(({ over }) => over)
    expect(refused.error?.reason).toBe('client_share')
    await upgraded('b', 3)
    const full = ask('c')
    await full.until(({ over }) => over)
    expect(full.error?.reason).toBe('overloaded')
    sockets[0]?.stream.reset('cancelled')
    await delivered()
    await upgraded('c', 4)
  })

  describe('and slow uploads', () => {
    it('get a connection while fewer than half are in use', async () => {
      upload('a', 'x')
      expect(await (await backend.connection(0)).request()).toContain('POST / ')
      upload('b', 'x')
      expect(await (await backend.connection(1)).request()).toContain('POST / ')
    })

    it('get a connection after 64 KiB, or after all of a shorter body', async () => {
      get('x')
      get('y')
      const long = upload('a', 'x'.repeat(65_535), { target: '/long' })
      const short = upload('b', 'x', { target: '/short', fields: ['Host', 'a.test', 'Content-Length', '2'] })
      await Promise.all([0, 1].map(async number => (await backend.connection(number)).request()))
      await delivered()
      expect(backend.connections).toHaveLength(2)
      long.send('x')
      const third = await backend.connection(2)
      expect(await third.request()).toContain('POST /long ')
      await third.until(({ received }) => received.length === 65_536)
      short.send('y').stream.end()
      const fourth = await backend.connection(3)
      expect(await fourth.request()).toContain('POST /short ')
      await fourth.until(({ received }) => received === 'xy')
      // Both continue as if they had not waited, with credit for all bytes that they send.
      long.send('x'.repeat(100_000 - 65_536)).stream.end()
      await third.until(({ received }) => received.length === 100_000)
      for (const connection of [third, fourth]) connection.say(OK)
      await Promise.all([long, short].map(caller => caller.until(({ ended }) => ended)))
    })

    it('get a connection with any part of the body as soon as fewer than half are in use', async () => {
      const [first] = [get('x'), get('y')]
      const slow = upload('a', 'x', { target: '/slow' })
      await Promise.all([0, 1].map(async number => (await backend.connection(number)).request()))
      await delivered()
      expect(backend.connections).toHaveLength(2)
      backend.connections[0]?.say(OK)
      await first?.until(({ ended }) => ended)
      expect(await (await backend.connection(0)).request()).toContain('POST /slow ')
      slow.stream.reset('cancelled')
    })

    it('are requests with a body that did not arrive with the head', async () => {
      get('x')
      get('y')
      const fields = ['Host', 'a.test', 'Content-Length', '5']
      const whole = new Caller(tunnel.plugboard, { client: 'a', method: 'POST', fields }, false)
      whole.send('hello').stream.end()
      get('b')
      await backend.connection(3)
    })

    it('hold no connection in any number, and wait as long as bytes arrive', async () => {
      get('x')
      get('y')
      const slow = Array.from({ length: 20 }, () => upload('a', 'x'))
      const silent = upload('b', '')
      await delivered()
      clock.advance(999)
      for (const caller of slow) caller.send('x')
      await delivered()
      clock.advance(1)
      await silent.until(({ over }) => over)
      expect(silent.error?.reason).toBe('overloaded')
      expect([slow.some(({ over }) => over), backend.connections.length]).toEqual([false, 2])
      // There is room for another client.
      get('c')
      await backend.connection(2)
      clock.advance(999)
      await Promise.all(slow.map(caller => caller.until(({ over }) => over)))
    })

    it('that are cancelled while they wait leave no state', async () => {
      get('x')
      get('y')
      const slow = upload('a', 'x')
      await delivered()
      slow.stream.reset('cancelled')
      await delivered()
      backend.connections[0]?.socket.destroy()
      backend.connections[1]?.socket.destroy()
      get('c', '/next')
      expect(await (await backend.connection(2)).request()).toContain('GET /next ')
    })
  })
})

describe('streams of HTTP/2', () => {
  let server: Http2Server
  let streams: ServerHttp2Stream[]
  let wake = (): void => undefined

  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) {
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  }
  const port = (): number => (server.address() as AddressInfo).port

  beforeEach(async () => {
    streams = []
    server = createServer({ settings: { maxConcurrentStreams: 4 } })
    server.on('stream', stream => {
      stream.on('error', () => undefined)
      streams.push(stream as ServerHttp2Stream)
      wake()
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    await start(`h2c://127.0.0.1:${port()}`, { maxConnections: 1, maxWaiting: 4, maxWaitMs: 6000 })
    // The first request learns the stream limit of the backend.
    const first = get('')
    await until(() => streams.length === 1)
    streams.pop()?.respond({ ':status': 204 }, { endStream: true })
    await first.until(({ ended }) => ended)
  })
  afterEach(async () => {
    await tunnel.close()
    forwarder.close()
    await new Promise(resolve => server.close(resolve))
  })

  it('are used by one client up to its share; its next request waits, and requests of others do not', async () => {
    const slow = [get('a'), get('a'), get('a')]
    const waiting = get('a')
    await until(() => streams.length === 3)
    const other = get('b')
    await until(() => streams.length === 4)
    streams[3]?.respond({ ':status': 204 }, { endStream: true })
    await other.until(({ ended }) => ended)
    await delivered()
    expect([waiting.over, streams.length]).toEqual([false, 4])
    slow[0]?.stream.reset('cancelled')
    await until(() => streams.length === 5)
    streams[4]?.respond({ ':status': 204 }, { endStream: true })
    await waiting.until(({ ended }) => ended)
  })

  it('have a separate reason for a wait without success', async () => {
    for (let number = 0; number < 3; number += 1) get('a')
    const waiting = get('a')
    await until(() => streams.length === 3)
    clock.advance(6000)
    await waiting.until(({ over }) => over)
    expect(waiting.error?.reason).toBe('client_share')
  })

  it('are used by an upload at once, because many gRPC calls send little and wait', async () => {
    for (const client of ['x', 'y', 'z']) get(client)
    upload('a', 'x')
    await until(() => streams.length === 4)
  })
})
