import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { systemClock } from '@vera-stack/shared/clock.ts'
import { parseTarget } from '@vera-stack/shared/net/backend-target.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { memoryTransportPair } from '../../../test/support/session/memory-transport.ts'
import { Caller, echoLarge, type TunnelPair, tunnelPair } from '../../testing/tunnel-pair.ts'
import { type ForwardedExchange, Forwarder } from './forward.ts'
import { HttpBackend, type HttpBackendOptions } from './http-backend.ts'

useLeakCheck()

/** The request at the backend, and its stream for the response. */
interface Arrived {
  readonly stream: ServerHttp2Stream
  readonly headers: IncomingHttpHeaders
  readonly raw: string[]
  body: string
  ended: boolean
  trailers: IncomingHttpHeaders | undefined
  aborted: boolean
  closed: boolean
}

let server: Http2Server
let sessions: ServerHttp2Session[]
let arrived: Arrived[]
let waiting: (() => void)[]
let forwarder: Forwarder
let tunnel: TunnelPair
let finished: ForwardedExchange[]

const wake = (): void => {
  for (const resolve of waiting.splice(0)) resolve()
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise<void>(resolve => waiting.push(resolve))
}

async function request(number = 0): Promise<Arrived> {
  await until(() => arrived[number] !== undefined)
  return arrived[number]!
}

async function start(options: HttpBackendOptions = {}): Promise<void> {
  finished = []
  const target = parseTarget(`h2c://127.0.0.1:${(server.address() as AddressInfo).port}`)
  forwarder = new Forwarder({
    backends: new Map([['web', new HttpBackend(target, systemClock, options)]]),
    now: systemClock.now,
    onExchange: exchange => finished.push(exchange),
  })
  tunnel = await tunnelPair(memoryTransportPair(), (stream, opening) => forwarder.onStream(stream, opening))
}

async function restart(options: HttpBackendOptions): Promise<void> {
  await tunnel.close()
  forwarder.close()
  await start(options)
}

beforeEach(async () => {
  sessions = []
  arrived = []
  waiting = []
  server = createServer({ settings: { enableConnectProtocol: true } })
  server.on('session', session => {
    sessions.push(session)
    session.on('close', wake)
    wake()
  })
  server.on('stream', (stream: ServerHttp2Stream, headers, _flags, raw) => {
    const one: Arrived = {
      stream,
      headers,
      raw,
      body: '',
      ended: false,
      trailers: undefined,
      aborted: false,
      closed: false,
    }
    arrived.push(one)
    stream.on('data', (chunk: Buffer) => {
      one.body += chunk.toString('latin1')
      wake()
    })
    stream.on('end', () => {
      one.ended = true
      wake()
    })
    stream.on('trailers', trailers => {
      one.trailers = trailers
      wake()
    })
    stream.on('aborted', () => {
      one.aborted = true
      wake()
    })
    stream.on('close', () => {
      one.closed = true
      wake()
    })
    stream.on('error', wake)
    wake()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  await start()
})
afterEach(async () => {
  await tunnel.close()
  forwarder.close()
  for (const session of sessions) session.destroy()
  await new Promise(resolve => server.close(resolve))
})

describe('requests', () => {
  it('arrive unchanged with fields, body and trailers, and so do the responses', async () => {
    const caller = new Caller(
      tunnel.plugboard,
      { method: 'PATCH', target: '/a?b', fields: ['Host', 'h', 'X-A', 'caf\xe9', 'TE', 'trailers'] },
      false,
    )
    caller.send('hello')
    const { stream, raw } = await request()
    expect(raw).toEqual([
      ':method',
      'PATCH',
      ':scheme',
      'http',
      ':authority',
      'h',
      ':path',
      '/a?b',
      'x-a',
      'caf\xe9',
      'te',
      'trailers',
    ])
    caller.stream.end(['X-Sum', '5'])
    await until(() => arrived[0]!.ended && arrived[0]!.trailers !== undefined)
    expect(arrived[0]).toMatchObject({ body: 'hello', trailers: { 'x-sum': '5' } })

    stream.additionalHeaders({ ':status': 103, link: 'x' })
    await caller.until(c => c.heads.length === 1)
    stream.respond({ ':status': 200, 'set-cookie': ['a', 'b'] }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-after': '1', host: 'not relayed' }))
    stream.end('yes')
    await caller.until(c => c.ended)
    expect(caller.heads[0]).toEqual({ status: 103, statusText: 'Early Hints', fields: ['link', 'x'] })
    expect(caller.heads[1]).toMatchObject({ status: 200, statusText: 'OK' })
    expect(caller.heads[1]?.fields.slice(0, 4)).toEqual(['set-cookie', 'a', 'set-cookie', 'b'])
    expect(caller).toMatchObject({ body: 'yes', trailers: ['x-after', '1'] })
    await until(() => arrived[0]!.closed)
    expect(finished).toMatchObject([{ status: 200, code: undefined }])
  })

  it('without a body end with their head; many share one connection', async () => {
    const callers = Array.from({ length: 20 }, () => new Caller(tunnel.plugboard, {}))
    for (let index = 0; index < 20; index += 1) {
      const { stream, headers } = await request(index)
      expect(stream.endAfterHeaders).toBe(true)
      expect(headers).toMatchObject({ ':method': 'GET', ':authority': 'a.test' })
      stream.respond({ ':status': 204 }, { endStream: true })
    }
    for (const caller of callers) await caller.until(c => c.ended)
    expect(sessions).toHaveLength(1)
  })

  it('whose body arrived with the head end with the last byte, without a further frame', async () => {
    const caller = new Caller(tunnel.plugboard, { method: 'POST', fields: ['Content-Length', '4'] }, false)
    caller.send('ab').send('cd').stream.end()
    const { stream } = await request()
    await until(() => arrived[0]!.ended)
    stream.respond({ ':status': 200 }, { endStream: true })
    await caller.until(c => c.ended)
    expect(arrived[0]).toMatchObject({ body: 'abcd', trailers: undefined, aborted: false })
  })

  it('R4: a 100 is relayed', async () => {
    const fields = ['Expect', '100-continue', 'Content-Length', '2']
    server.on('checkContinue', () => undefined)
    const caller = new Caller(tunnel.plugboard, { method: 'POST', fields }, false)
    const { stream } = await request()
    stream.additionalHeaders({ ':status': 100 })
    await caller.until(c => c.heads.length === 1)
    expect(caller.heads[0]).toMatchObject({ status: 100 })
    caller.send('ok').stream.end()
    await until(() => arrived[0]!.ended)
    stream.respond({ ':status': 200 }, { endStream: true })
    await caller.until(c => c.ended)
  })

  it.each([
    ['backend', () => `127.0.0.1:${(server.address() as AddressInfo).port}`],
    ['app.internal', () => 'app.internal'],
  ])('have the Host that the service requires: %s', async (hostHeader, expected) => {
    await restart({ hostHeader })
    const caller = new Caller(tunnel.plugboard, {})
    expect((await request()).headers[':authority']).toBe(expected())
    caller.stream.reset('cancelled')
  })

  it('that authenticate their connection do not share it', async () => {
    const shared = new Caller(tunnel.plugboard, {})
    const first = await request()
    const fields = ['Host', 'a.test', 'Authorization', 'Negotiate YII']
    const own = [new Caller(tunnel.plugboard, { fields }), new Caller(tunnel.plugboard, { fields })]
    await request(2)
    const [second, third] = [arrived[1]!, arrived[2]!]
    const later = new Caller(tunnel.plugboard, {})
    const fourth = await request(3)
    const used = [first, second, third].map(({ stream }) => stream.session)
    expect(new Set(used).size).toBe(3)
    expect(fourth.stream.session).toBe(first.stream.session)
    for (const { stream } of arrived) {
      stream.respond({ ':status': 200 })
      stream.end('ok')
    }
    for (const caller of [shared, ...own, later]) {
      await caller.until(c => c.over)
      expect([caller.status, caller.body]).toEqual([200, 'ok'])
    }
    await until(() => used[1]?.destroyed === true && used[2]?.destroyed === true)
    expect(used[0]?.destroyed).toBe(false)
  })

  it('that authenticate their connection are refused without a free connection', async () => {
    await restart({ maxConnections: 1 })
    const fields = ['Host', 'a.test', 'Authorization', 'NTLM TlRM']
    const given = new Caller(tunnel.plugboard, { fields })
    const refused = new Caller(tunnel.plugboard, { fields })
    await refused.until(c => c.over)
    expect(refused.error).toMatchObject({ reason: 'overloaded', delivered: 'no' })
    given.stream.reset('cancelled')
  })

  it('that two recipients could read differently are refused', async () => {
    const caller = new Caller(tunnel.plugboard, { fields: ['Content-Length', '1', 'Content-Length', '2'] })
    await caller.until(c => c.over)
    expect(caller.error).toMatchObject({ reason: 'request_unsendable', delivered: 'no' })
    expect(arrived).toHaveLength(0)
  })

  it('with a length and without a body are refused', async () => {
    const caller = new Caller(tunnel.plugboard, { fields: ['Content-Length', '4'] })
    await caller.until(c => c.over)
    expect(caller.error?.reason).toBe('protocol_error')
    expect(arrived).toHaveLength(0)
  })

  it.each([
    ['longer', 'abcdef'],
    ['shorter', 'ab'],
  ])('with a body %s than announced never look complete to the backend', async (_name, body) => {
    const caller = new Caller(tunnel.plugboard, { method: 'POST', fields: ['Content-Length', '4'] }, false)
    await request()
    caller.send(body).stream.end()
    await caller.until(c => c.over)
    expect(caller.error?.reason).toBe('protocol_error')
    await until(() => arrived[0]!.closed)
    expect(arrived[0]).toMatchObject({ aborted: true })
    expect(arrived[0]!.stream.rstCode).toBe(constants.NGHTTP2_CANCEL)
  })
})

describe('responses', () => {
  it('R6: to HEAD, and with 204, 205 or 304, have no body', async () => {
    for (const [method, status] of [
      ['HEAD', 200],
      ['GET', 204],
      ['GET', 304],
      ['GET', 205],
    ] as const) {
      const number = arrived.length
      const caller = new Caller(tunnel.plugboard, { method })
      const { stream } = await request(number)
      stream.respond({ ':status': status, 'x-a': '1' }, { endStream: status !== 205 })
      if (status === 205) stream.write('never')
      await caller.until(c => c.over)
      expect(caller).toMatchObject({ ended: true, status, body: '' })
      await until(() => arrived[number]!.closed)
    }
    expect(sessions).toHaveLength(1)
  })

  it('R3: before the end of the upload are complete; the rest is dropped, and the stream is reset with NO_ERROR', async () => {
    const caller = new Caller(
      tunnel.plugboard,
      { method: 'POST', fields: ['Content-Length', '9000000'] },
      false,
    )
    const { stream } = await request()
    stream.respond({ ':status': 413 })
    stream.end('no')
    await caller.until(c => c.ended)
    expect(caller).toMatchObject({ status: 413, body: 'no' })
    // This is more than a window, so the test would wait without end if dropped bytes returned no credit.
    for (let sent = 0; sent < 9_000_000; sent += 60_000) {
      caller.send('x'.repeat(60_000))
      await caller.until(c => c.writable)
    }
    caller.stream.end()
    await until(() => arrived[0]!.closed)
    expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR)
    expect(finished).toMatchObject([{ status: 413, code: undefined }])
  })

  it('R9: each chunk is sent at once', async () => {
    const caller = new Caller(tunnel.plugboard, {})
    const { stream } = await request()
    stream.respond({ ':status': 200, 'content-type': 'text/event-stream' })
    for (const chunk of ['one', 'two', 'three']) {
      stream.write(chunk)
      await caller.until(c => c.body.endsWith(chunk))
    }
    stream.end()
    await caller.until(c => c.ended)
  })
})

describe('cancellation', () => {
  it('R11: a caller that disconnects resets only its own stream', async () => {
    const leaving = new Caller(tunnel.plugboard, { method: 'POST' }, false)
    const left = await request(0)
    const staying = new Caller(tunnel.plugboard, {})
    const stayed = await request(1)
    left.stream.respond({ ':status': 200 })
    left.stream.write('abc')
    await leaving.until(c => c.body === 'abc')
    leaving.stream.reset('cancelled')
    await until(() => left.closed)
    expect(left.stream.rstCode).toBe(constants.NGHTTP2_CANCEL)
    stayed.stream.respond({ ':status': 200 })
    stayed.stream.end('here')
    await staying.until(c => c.ended)
    expect(staying.body).toBe('here')
    expect(sessions).toHaveLength(1)
    expect(finished).toMatchObject([{ status: 200, code: 'cancelled' }, { code: undefined }])
  })

  it('of an upload that waits for a slow backend takes effect at once', async () => {
    const caller = new Caller(tunnel.plugboard, { method: 'POST' }, false)
    const { stream } = await request()
    stream.pause()
    // This is more than the window of the backend, so the rest waits on this side.
    caller.send('x'.repeat(200_000))
    caller.stream.reset('cancelled')
    await until(() => arrived[0]!.closed)
    expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL)
  })

  it('a lost tunnel resets every stream', async () => {
    const callers = [new Caller(tunnel.plugboard, {}), new Caller(tunnel.plugboard, {})]
    await request(1)
    tunnel.cut()
    await until(() => arrived.every(one => one.closed))
    for (const caller of callers) await caller.until(c => c.over)
  })
})

describe('upgrades', () => {
  const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
  const fields = [
    'Host',
    'h',
    'Connection',
    'Upgrade',
    'Upgrade',
    'WebSocket',
    'Sec-WebSocket-Key',
    KEY,
    'Sec-WebSocket-Version',
    '13',
    'Sec-WebSocket-Protocol',
    'chat',
  ]

  it('U1, U3, U4: a WebSocket is an extended CONNECT, with bytes in both directions only after it is accepted', async () => {
    const caller = new Caller(tunnel.plugboard, { kind: 'upgrade', fields }, false)
    caller.send('early')
    const { stream, headers } = await request()
    expect(headers).toMatchObject({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':path': '/',
      'sec-websocket-version': '13',
    })
    expect(headers).not.toHaveProperty('sec-websocket-key')
    stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat' })
    stream.write('hello')
    await caller.until(c => c.body === 'hello')
    expect(caller.heads[0]).toMatchObject({ status: 101 })
    // The example of RFC 6455 section 1.3.
    expect(caller.heads[0]?.fields.slice(0, 8)).toEqual([
      'Upgrade',
      'websocket',
      'Connection',
      'Upgrade',
      'Sec-WebSocket-Accept',
      's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
      'sec-websocket-protocol',
      'chat',
    ])
    await until(() => arrived[0]!.body === 'early')
    caller.send(' late').stream.end()
    await until(() => arrived[0]!.ended)
    expect(arrived[0]?.body).toBe('early late')
    stream.end(' bye')
    await caller.until(c => c.ended)
    expect(caller.body).toBe('hello bye')
    await until(() => arrived[0]!.closed)
    expect(finished).toMatchObject([{ status: 101, code: undefined }])
  })

  it('U4: the half of the client may end with its head', async () => {
    const caller = new Caller(tunnel.plugboard, { kind: 'upgrade', fields })
    const { stream } = await request()
    expect(stream.endAfterHeaders).toBe(false)
    stream.respond({ ':status': 200 })
    await until(() => arrived[0]!.ended)
    stream.end('bye')
    await caller.until(c => c.ended)
    expect(caller.body).toBe('bye')
    await until(() => arrived[0]!.closed)
  })

  it('U4: the half of the backend may end first', async () => {
    const caller = new Caller(tunnel.plugboard, { kind: 'upgrade', fields }, false)
    const { stream } = await request()
    stream.respond({ ':status': 200 })
    stream.end('bye')
    await caller.until(c => c.ended)
    caller.send('still').stream.end()
    await until(() => arrived[0]!.ended)
    expect(arrived[0]?.body).toBe('still')
    await until(() => arrived[0]!.closed)
  })

  it('U2: that are declined have an ordinary response', async () => {
    const caller = new Caller(tunnel.plugboard, { kind: 'upgrade', fields }, false)
    caller.send('dropped')
    const { stream } = await request()
    stream.respond({ ':status': 403 })
    stream.end('no')
    await caller.until(c => c.ended)
    expect(caller).toMatchObject({ status: 403, body: 'no' })
    caller.stream.end()
    await until(() => arrived[0]!.closed)
    expect(arrived[0]?.body).toBe('')
  })

  it('that the caller cuts off reset the stream of the backend', async () => {
    const caller = new Caller(tunnel.plugboard, { kind: 'upgrade', fields }, false)
    const { stream } = await request()
    stream.respond({ ':status': 200 })
    await caller.until(c => c.heads.length === 1)
    caller.stream.reset('session_lost')
    await until(() => arrived[0]!.closed)
    expect(arrived[0]).toMatchObject({ aborted: true })
    expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL)
  })

  it('to another protocol have a response with the reason', async () => {
    const other = fields.map(text => (text === 'WebSocket' ? 'foo' : text))
    const caller = new Caller(tunnel.plugboard, { kind: 'upgrade', fields: other }, false)
    await caller.until(c => c.ended)
    expect(caller).toMatchObject({ status: 501, body: expect.stringContaining('HTTP/2') })
    expect(arrived).toHaveLength(0)
  })
})

describe('large bodies', () => {
  it('arrive unchanged at a reader that stalls, in both directions at once', async () => {
    const total = 24 * 1024 * 1024
    server.removeAllListeners('stream')
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.respond({ ':status': 200, 'content-length': total })
      stream.pipe(stream)
    })
    const { caller, sent, received } = await echoLarge(tunnel.plugboard, total)
    expect(caller.error).toBeUndefined()
    expect(caller.bytes).toBe(total)
    expect(received).toBe(sent)
  })

  it('S4, R12: a stalled reader holds a bounded part of a body, and other streams keep their speed', async () => {
    const stalled = new Caller(tunnel.plugboard, {})
    stalled.reading = false
    const { stream } = await request(0)
    stream.respond({ ':status': 200 })
    let written = 0
    const chunk = Buffer.alloc(65_536)
    while (stream.write(chunk)) written += chunk.length
    stream.on('drain', () => {
      for (written += chunk.length; stream.write(chunk); written += chunk.length);
    })
    await stalled.until(c => c.bytes > 0)
    const neighbour = new Caller(tunnel.plugboard, {})
    const other = await request(1)
    other.stream.respond({ ':status': 200 })
    other.stream.end(Buffer.alloc(8_000_000))
    await neighbour.until(c => c.over)
    expect(neighbour.error).toBeUndefined()
    expect(neighbour.bytes).toBe(8_000_000)
    // The bound is a window of the tunnel, a window of HTTP/2, and the buffers of the streams between them.
    expect(written).toBeLessThan(2_000_000)
    stalled.stream.reset('cancelled')
    await until(() => arrived[0]!.closed)
  })
})
