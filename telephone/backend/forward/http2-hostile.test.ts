// Tests a backend that breaks HTTP/2, through the tunnel: other requests are not affected, and no broken response looks complete.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { systemClock } from '@vera-stack/shared/clock.ts'
import { parseTarget } from '@vera-stack/shared/net/backend-target.ts'
import type { Reason } from '@vera-stack/shared/protocol/wire/reason.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FrameBackend, type FrameConnection } from '../../../test/support/backend/http2-frame-backend.ts'
import { FLAG, FRAME, fieldBlock, frame, settings, u32 } from '../../../test/support/http/http2-frames.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { memoryTransportPair } from '../../../test/support/session/memory-transport.ts'
import { Caller, type TunnelPair, tunnelPair } from '../../testing/tunnel-pair.ts'
import { Forwarder } from './forward.ts'
import { HttpBackend, type HttpBackendOptions } from './http-backend.ts'

useLeakCheck()

const MAX_CONCURRENT_STREAMS = 3
let backend: FrameBackend
let forwarder: Forwarder
let tunnel: TunnelPair

async function start(options: HttpBackendOptions = {}, clock: Clock = systemClock): Promise<void> {
  const web = new HttpBackend(parseTarget(`h2c://127.0.0.1:${backend.port}`), clock, options)
  forwarder = new Forwarder({ backends: new Map([['web', web]]), now: systemClock.now })
  tunnel = await tunnelPair(memoryTransportPair(), (stream, opening) => forwarder.onStream(stream, opening))
}

async function stop(): Promise<void> {
  await tunnel.close()
  forwarder.close()
  await backend.close()
}

async function restart(greeting: () => Buffer, options?: HttpBackendOptions, clock?: Clock): Promise<void> {
  await stop()
  backend = await new FrameBackend(greeting).listen()
  await start(options, clock)
}

/** Sends a GET, and resolves with its state at the backend. The first stream of a connection is 1. */
async function get(connectionNumber = 0, id = 1): Promise<[Caller, FrameConnection]> {
  const caller = new Caller(tunnel.plugboard, {})
  const connection = await backend.connection(connectionNumber)
  await connection.frame(FRAME.headers, id)
  return [caller, connection]
}

beforeEach(async () => {
  backend = await new FrameBackend().listen()
  await start()
})
afterEach(stop)

describe('R2: a body cut short is never complete', () => {
  it.each<[string, (connection: FrameConnection) => void, Reason]>([
    ['reset with NO_ERROR', c => c.reset(1, 0), 'backend_closed'],
    ['reset with CANCEL', c => c.reset(1, 8), 'backend_closed'],
    ['reset with INTERNAL_ERROR', c => c.reset(1, 2), 'backend_closed'],
    ['reset with PROTOCOL_ERROR', c => c.reset(1, 1), 'backend_protocol_error'],
    ['reset with ENHANCE_YOUR_CALM', c => c.reset(1, 11), 'backend_protocol_error'],
    ['reset with HTTP_1_1_REQUIRED', c => c.reset(1, 13), 'backend_protocol_error'],
    ['reset with an unknown code', c => c.reset(1, 4711), 'backend_closed'],
    ['the end of the connection', c => c.socket.end(), 'backend_closed'],
    ['a connection that is reset', c => c.socket.resetAndDestroy(), 'backend_closed'],
    ['a GOAWAY with an error', c => c.goaway(1, 2), 'backend_closed'],
  ])('%s', async (_name, cut, reason) => {
    const [caller, connection] = await get()
    connection.respond(1)
    connection.body(1, 'half')
    await caller.until(c => c.body === 'half')
    cut(connection)
    await caller.until(c => c.over)
    expect(caller).toMatchObject({ ended: false, error: { reason, remote: true } })
  })

  it('also when one message contains the body and its reset', async () => {
    const [caller, connection] = await get()
    const head = frame(FRAME.headers, FLAG.endHeaders, 1, fieldBlock([':status', '200']))
    connection.say(head, frame(FRAME.data, 0, 1, 'half'), frame(FRAME.resetStream, 0, 1, u32(0)))
    await caller.until(c => c.over)
    expect(caller).toMatchObject({ ended: false, error: { reason: 'backend_closed' } })
  })

  it('but a complete body stays complete when the connection ends before the client reads', async () => {
    const [caller, connection] = await get()
    caller.reading = false
    connection.respond(1)
    await caller.until(c => c.heads.length === 1)
    const window = connection.frames.find(one => one.type === FRAME.settings)
    expect(window).toBeDefined()
    // This is more than the tunnel accepts, and less than the window of HTTP/2.
    for (let sent = 0; sent < 448; sent += 16) connection.body(1, 'x'.repeat(16_384))
    connection.body(1, 'end', true)
    connection.socket.end()
    await connection.until(c => c.closed)
    caller.read()
    await caller.until(c => c.over)
    expect(caller).toMatchObject({ ended: true, error: undefined, bytes: 28 * 16_384 + 3 })
  })
})

describe('frames that break the protocol', () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => [`x-${index}`, 'y']).flat()
  const large = 'y'.repeat(15_000)
  const spread = (count: number) => [
    frame(FRAME.headers, 0, 1, fieldBlock([':status', '200'])),
    ...Array.from({ length: count }, (_, index) =>
      frame(FRAME.continuation, index === count - 1 ? FLAG.endHeaders : 0, 1, fieldBlock(['x', large])),
    ),
  ]

  it.each<[string, (connection: FrameConnection) => void]>([
    ['DATA on stream 0', c => c.say(frame(FRAME.data, 0, 0, 'x'))],
    ['DATA on a stream that was never opened', c => c.say(frame(FRAME.data, 0, 99, 'x'))],
    ['DATA before the head', c => c.body(1, 'x')],
    ['a frame over the limit', c => c.say(frame(FRAME.data, 0, 1, Buffer.alloc(20_000)))],
    ['SETTINGS of a wrong length', c => c.say(frame(FRAME.settings, 0, 0, 'abc'))],
    ['a WINDOW_UPDATE of 0', c => c.say(frame(FRAME.windowUpdate, 0, 0, u32(0)))],
    ['a window beyond its limit', c => c.say(frame(FRAME.windowUpdate, 0, 0, u32(0x7fffffff)))],
    [
      'a field block that cannot be decoded',
      c => c.say(frame(FRAME.headers, FLAG.endHeaders, 1, Buffer.alloc(6, 255))),
    ],
    [
      'a PUSH_PROMISE, which we have forbidden',
      c => c.say(frame(FRAME.pushPromise, FLAG.endHeaders, 1, u32(2))),
    ],
    ['a CONTINUATION out of place', c => c.say(frame(FRAME.continuation, 0, 1, ''))],
    ['CONTINUATION without end', c => c.say(...spread(200).slice(0, -1))],
    ['a field list over the limit', c => c.say(...spread(6))],
    ['more fields than the limit', c => c.respond(1, [':status', '200', ...many(300)])],
    ['no status', c => c.respond(1, ['x', 'y'], true)],
    ['an invalid status', c => c.respond(1, [':status', '1000'], true)],
    ['a 101', c => c.respond(1, [':status', '101'])],
    ['an interim response that ends the stream', c => c.respond(1, [':status', '103'], true)],
    ['a name in upper case', c => c.respond(1, [':status', '200', 'X-A', 'y'], true)],
    ['a field of the connection', c => c.respond(1, [':status', '200', 'connection', 'close'], true)],
    ['two lengths', c => c.respond(1, [':status', '200', 'content-length', '1', 'content-length', '1'])],
  ])('%s before the head cause a 502', async (_name, say) => {
    const [caller, connection] = await get()
    say(connection)
    await caller.until(c => c.over)
    expect(caller).toMatchObject({ heads: [], ended: false, error: { reason: 'backend_protocol_error' } })
  })

  it.each<[string, (connection: FrameConnection) => void]>([
    ['a second final head', c => c.respond(1)],
    ['trailers that do not end the stream', c => c.respond(1, ['x', 'y'])],
    ['a body longer than its length', c => c.body(1, 'abcdefg')],
    ['a body shorter than its length', c => c.body(1, 'a', true)],
  ])('%s after the head cut off the response', async (_name, say) => {
    const [caller, connection] = await get()
    connection.respond(1, [':status', '200', 'content-length', '5'])
    await caller.until(c => c.heads.length === 1)
    say(connection)
    await caller.until(c => c.over)
    expect(caller).toMatchObject({ ended: false, error: { reason: 'backend_protocol_error' } })
  })

  it('endless interim responses end the stream', async () => {
    const [caller, connection] = await get()
    for (let count = 0; count < 70; count += 1) connection.respond(1, [':status', '103'])
    await caller.until(c => c.over)
    expect(caller.error?.reason).toBe('backend_protocol_error')
    expect(caller.heads).toHaveLength(64)
    await connection.frame(FRAME.resetStream, 1)
  })

  it('nghttp2 removes a value that would add a line, and the response continues', async () => {
    const [caller, connection] = await get()
    connection.respond(1, [':status', '200', 'x-a', 'b\r\nx-c: d', 'x-e', 'f'], true)
    await caller.until(c => c.over)
    expect(caller.heads[0]?.fields).toEqual(['x-e', 'f'])
  })

  it.each<[string, () => Buffer]>([
    ['SETTINGS', () => settings()],
    ['PING', () => frame(FRAME.ping, 0, 0, Buffer.alloc(8))],
  ])('a flood of %s from a peer that does not read ends its connection', async (_name, one) => {
    const [caller, connection] = await get()
    connection.socket.pause()
    const flood = Buffer.concat(Array.from({ length: 500 }, one))
    const pour = (): void => {
      while (!connection.closed && connection.socket.writable && connection.socket.write(flood));
    }
    connection.socket.on('drain', pour)
    pour()
    await caller.until(c => c.over)
    expect(caller.error?.reason).toBe('backend_protocol_error')
  })

  it('the next request gets a new connection', async () => {
    const [caller, connection] = await get()
    connection.say(frame(FRAME.data, 0, 0, 'x'))
    await caller.until(c => c.over)
    const [next, another] = await get(1)
    another.respond(1, [':status', '204'], true)
    await next.until(c => c.ended)
  })
})

describe('GOAWAY and REFUSED_STREAM', () => {
  it.each<[string, (connection: FrameConnection) => void]>([
    ['a GOAWAY before it', c => c.goaway(0, 0)],
    ['a GOAWAY with an error before it', c => c.goaway(0, 11)],
    ['REFUSED_STREAM', c => c.reset(1, 7)],
  ])('a request that the backend has not processed is repeated with any method: %s', async (name, refuse) => {
    const caller = new Caller(tunnel.plugboard, { method: 'POST' })
    const first = await backend.connection(0)
    await first.frame(FRAME.headers, 1)
    refuse(first)
    const same = name === 'REFUSED_STREAM'
    const second = same ? first : await backend.connection(1)
    await second.frame(FRAME.headers, same ? 3 : 1)
    second.respond(same ? 3 : 1, [':status', '200'], true)
    await caller.until(c => c.over)
    expect(caller).toMatchObject({ ended: true, status: 200 })
  })

  it('a request with a sent body, or refused twice, is reported as not delivered', async () => {
    const upload = new Caller(tunnel.plugboard, { method: 'POST' }, false).send('body')
    const connection = await backend.connection()
    await connection.frame(FRAME.data, 1)
    connection.reset(1, 7)
    await upload.until(c => c.over)
    expect(upload.error).toMatchObject({ reason: 'overloaded', delivered: 'no' })

    const caller = new Caller(tunnel.plugboard, {})
    for (const id of [3, 5]) {
      await connection.frame(FRAME.headers, id)
      connection.reset(id, 7)
    }
    await caller.until(c => c.over)
    expect(caller.error).toMatchObject({ reason: 'overloaded', delivered: 'no' })
  })

  it('a request that two connections refuse by a GOAWAY has not reached the backend', async () => {
    const caller = new Caller(tunnel.plugboard, { method: 'POST' })
    for (const number of [0, 1]) {
      const connection = await backend.connection(number)
      await connection.frame(FRAME.headers, 1)
      connection.goaway(0, 0)
    }
    await caller.until(c => c.over)
    expect(caller.error).toMatchObject({ reason: 'backend_unreachable', delivered: 'no' })
  })

  it('streams before the GOAWAY continue to their end; new streams use a new connection', async () => {
    const [older, connection] = await get()
    const newer = new Caller(tunnel.plugboard, {})
    await connection.frame(FRAME.headers, 3)
    connection.goaway(1, 0)
    const replacement = await backend.connection(1)
    await replacement.frame(FRAME.headers, 1)
    replacement.respond(1, [':status', '201'], true)
    await newer.until(c => c.ended)
    connection.respond(1)
    connection.body(1, 'late', true)
    await older.until(c => c.ended)
    expect(older.body).toBe('late')
    await connection.until(c => c.ended || c.closed)
  })

  it('an idempotent request succeeds after the backend has closed the idle connection', async () => {
    const [first, connection] = await get()
    connection.respond(1, [':status', '204'], true)
    await first.until(c => c.ended)
    for (const [method, expected] of [
      ['GET', 'ended'],
      ['POST', 'failed'],
    ] as const) {
      const number = backend.connections.length - 1
      const used = backend.connections[number]!
      const id = number === 0 ? 3 : 1 + 2 * used.frames.filter(one => one.type === FRAME.headers).length
      const caller = new Caller(tunnel.plugboard, { method })
      await used.frame(FRAME.headers, id)
      used.socket.resetAndDestroy()
      if (expected === 'failed') {
        await caller.until(c => c.over)
        expect(caller.error).toMatchObject({ reason: 'backend_closed' })
        return
      }
      const fresh = await backend.connection(number + 1)
      await fresh.frame(FRAME.headers, 1)
      fresh.respond(1, [':status', '204'], true)
      await caller.until(c => c.over)
      expect(caller.ended).toBe(true)
    }
  })
})

describe('connections', () => {
  it('a backend of HTTP/1 is detected before it gets a request, and has its own cause', async () => {
    await restart(() => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const caller = new Caller(tunnel.plugboard, { method: 'POST' })
    await caller.until(c => c.over)
    expect(caller.error).toMatchObject({ reason: 'backend_unreachable', delivered: 'no' })
    expect(caller.error?.detail).toContain('write the target with http://')
  })

  it.each<[string, number]>([
    ['says nothing', 0],
    ['closes at once', 1],
  ])('a backend that %s is unreachable', async (_name, closes) => {
    const clock = new ManualClock()
    await restart(() => Buffer.alloc(0), {}, clock)
    const caller = new Caller(tunnel.plugboard, {})
    const connection = await backend.connection()
    await connection.frame(FRAME.settings)
    if (closes === 1) connection.socket.end()
    else clock.advance(5000)
    await caller.until(c => c.over)
    expect(caller.error).toMatchObject({ reason: 'backend_unreachable' })
  })

  it('a refused connection is unreachable', async () => {
    await backend.close()
    const caller = new Caller(tunnel.plugboard, {})
    await caller.until(c => c.over)
    expect(caller.error).toMatchObject({
      reason: 'backend_unreachable',
      detail: expect.stringContaining('ECONNREFUSED'),
    })
  })

  it('a backend that accepts no request on any connection is not dialled repeatedly', async () => {
    await restart(() => Buffer.concat([settings(), frame(FRAME.goaway, 0, 0, u32(0, 0))]))
    const caller = new Caller(tunnel.plugboard, {})
    await caller.until(c => c.over)
    expect(caller.error).toMatchObject({ delivered: 'no' })
    expect(backend.connections.length).toBeLessThanOrEqual(2)
  })

  it('a large head reaches the backend, which decides about it', async () => {
    const fields = ['Host', 'a.test', 'X-Large', 'y'.repeat(250_000)]
    const caller = new Caller(tunnel.plugboard, { fields })
    const connection = await backend.connection()
    await connection.frame(FRAME.continuation, 1)
    connection.respond(1, [':status', '431'], true)
    await caller.until(c => c.over)
    expect(caller).toMatchObject({ status: 431, error: undefined })
  })

  it('requests over the stream limit of the backend use another connection, then a bounded queue', async () => {
    const greeting = () => settings(MAX_CONCURRENT_STREAMS, 2)
    await restart(greeting, { maxConnections: 2, maxWaiting: 1 })
    const callers: Caller[] = []
    for (const [number, id] of [
      [0, 1],
      [0, 3],
      [1, 1],
      [1, 3],
    ] as const)
      callers.push((await get(number, id))[0])
    const waiting = new Caller(tunnel.plugboard, {})
    const tooMany = new Caller(tunnel.plugboard, {})
    await tooMany.until(c => c.over)
    expect(tooMany.error?.reason).toBe('overloaded')
    backend.connections[1]!.respond(1, [':status', '204'], true)
    await callers[2]!.until(c => c.ended)
    await backend.connections[1]!.frame(FRAME.headers, 5)
    expect(backend.connections).toHaveLength(2)
    backend.connections[1]!.respond(5, [':status', '204'], true)
    await waiting.until(c => c.ended)
  })

  it('connections that finish their last streams count beyond maxDetached', async () => {
    await restart(() => settings(), { maxConnections: 1, maxDetached: 1 })
    const [first, draining] = await get()
    draining.goaway(1, 0)
    const [second, alsoDraining] = await get(1)
    alsoDraining.goaway(1, 0)
    const third = new Caller(tunnel.plugboard, {})
    // It gets a connection when one of the two ends.
    draining.respond(1, [':status', '204'], true)
    await first.until(c => c.ended)
    const connection = await backend.connection(2)
    await connection.frame(FRAME.headers, 1)
    connection.respond(1, [':status', '204'], true)
    await third.until(c => c.ended)
    expect(backend.connections).toHaveLength(3)
    expect(second.over).toBe(false)
  })

  it('a request that waits too long for a stream has a reason', async () => {
    const clock = new ManualClock()
    await restart(() => settings(MAX_CONCURRENT_STREAMS, 0), { maxConnections: 2 }, clock)
    const caller = new Caller(tunnel.plugboard, {})
    const connection = await backend.connection()
    await connection.frame(FRAME.settings)
    clock.advance(9000)
    expect(caller.over).toBe(false)
    clock.advance(1000)
    await caller.until(c => c.over)
    expect(caller.error?.reason).toBe('overloaded')
    expect(backend.connections).toHaveLength(1)
  })

  it('an idle connection is closed after keepAlive', async () => {
    const clock = new ManualClock()
    await restart(() => settings(), { keepAliveMs: 20_000 }, clock)
    const [caller, connection] = await get()
    connection.respond(1, [':status', '204'], true)
    await caller.until(c => c.ended)
    clock.advance(17_500)
    const [again] = await get(0, 3)
    connection.respond(3, [':status', '204'], true)
    await again.until(c => c.ended)
    clock.advance(22_500)
    expect(await connection.frame(FRAME.goaway)).toBeDefined()
    await connection.until(c => c.ended || c.closed)
  })

  it('a PING with a deadline detects a dead connection while a response is awaited', async () => {
    const clock = new ManualClock()
    await restart(() => settings(), {}, clock)
    const [caller, connection] = await get()
    connection.ponging = false
    clock.advance(7500)
    await connection.frame(FRAME.ping)
    expect(caller.over).toBe(false)
    clock.advance(7500)
    await caller.until(c => c.over)
    expect(caller.error?.reason).toBe('backend_timeout')
  })

  it('a connection that breaks the protocol after its GOAWAY is closed, although Node reports no error', async () => {
    const clock = new ManualClock()
    await restart(() => settings(), {}, clock)
    const [caller, connection] = await get()
    connection.goaway(1, 0)
    const goaways = () => connection.frames.filter(one => one.type === FRAME.goaway).length
    await connection.until(() => goaways() === 1)
    connection.say(frame(FRAME.data, 0, 99, 'x'))
    await connection.until(c => goaways() === 2 || c.closed || caller.over)
    clock.advance(7500)
    clock.advance(7500)
    await caller.until(c => c.over)
    expect(caller.ended).toBe(false)
    await connection.until(c => c.closed)
  })

  it('a silent connection that responds to its PING stays open', async () => {
    const clock = new ManualClock()
    await restart(() => settings(), {}, clock)
    const [caller, connection] = await get()
    for (let count = 1; count < 5; count += 1) {
      clock.advance(7500)
      await connection.until(c => c.frames.filter(one => one.type === FRAME.ping).length === count)
      // This is sent after the PONG, so the PONG has arrived when this has arrived.
      connection.respond(1, [':status', '103'])
      await caller.until(c => c.heads.length === count)
    }
    connection.respond(1, [':status', '204'], true)
    await caller.until(c => c.over)
    expect(caller.ended).toBe(true)
  })

  it('WebSocket without TLS needs a backend that allows it', async () => {
    const fields = ['Upgrade', 'websocket', 'Connection', 'Upgrade', 'Sec-WebSocket-Key', 'k']
    const caller = new Caller(tunnel.plugboard, { kind: 'upgrade', fields }, false)
    await caller.until(c => c.ended)
    expect(caller).toMatchObject({ status: 501 })
    const connection = await backend.connection()
    expect(connection.frames.some(one => one.type === FRAME.headers)).toBe(false)
  })
})

it.each([[['http2-settings', 'x']], [['etag', 'a', 'etag', 'b']]])(
  'request trailers %j, of which Node refuses some, cost no more than their request',
  async trailers => {
    const caller = new Caller(tunnel.plugboard, { method: 'POST' }, false)
    caller.stream.write(Buffer.from('x'))
    const connection = await backend.connection(0)
    await connection.frame(FRAME.data, 1)
    caller.stream.end(trailers)
    await connection.until(c =>
      c.frames.some(one => one.type === FRAME.resetStream || (one.flags & FLAG.endStream) !== 0),
    )
    connection.respond(1, [':status', '204'], true)
    await caller.until(c => c.over)
  },
)
