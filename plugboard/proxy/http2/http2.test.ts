// HTTP/2 on client connections, from the client's frames to the telephone's stream: how requests and responses are converted.
// test/conformance/http/http2.ts tests forbidden frames of clients.

import { createHash } from 'node:crypto'
import { constants } from 'node:http2'
import { beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { harnessRoute, ProxyHarness } from '../../../test/support/harness/proxy-harness.ts'
import { useProxy } from '../../../test/support/harness/use-proxy.ts'
import { Http2Client, readHttp2Response } from '../../../test/support/http/http2-client.ts'
import { FRAME, resetFrame } from '../../../test/support/http/http2-frames.ts'
import { rawExchange } from '../../../test/support/http/raw-connection.ts'
import { RawHttp2 } from '../../../test/support/http/raw-http2.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'

useLeakCheck()

const proxy = useProxy({ http2Cleartext: true })
let client: Http2Client

beforeEach(() => {
  client = proxy.http2()
})

const GET = { ':authority': 'test', ':path': '/' }
const POST = { ...GET, ':method': 'POST' }

/** The same, for a client that writes its frames by hand. */
const rawHead = (method: 'GET' | 'POST') =>
  [
    [':method', method],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'test'],
  ] as const

it('the end of a stream does not overtake a response that is only a head', async () => {
  for (const method of ['GET', 'POST', 'GET']) {
    const stream = client.open({ ...GET, ':method': 'OPTIONS', ':path': '*' }, method === 'GET')
    const response = await readHttp2Response(stream)
    expect([response.status, response.code]).toEqual([204, 0])
  }
})

describe('requests', () => {
  it('arrive in the same form as HTTP/1.1 requests', async () => {
    proxy.telephone.handler = call => call.respond(200, 'hello')
    const response = await client.ask({
      ...GET,
      ':path': '/a/../b?c=%2e',
      'x-one': ['1', '2'],
      te: 'trailers',
    })
    expect([response.status, response.body.toString()]).toEqual([200, 'hello'])
    const call = proxy.telephone.calls[0]!
    expect([call.opening.method, call.opening.target]).toEqual(['GET', '/b?c=%2e'])
    expect(call.field('host')).toBe('test')
    expect(call.fields('x-one')).toEqual(['1', '2'])
    expect(call.field('te')).toBe('trailers')
    expect(call.field('x-forwarded-proto')).toBe('http')
    expect(call.field('x-request-id')).toBe(response.field('x-request-id'))
    expect(call.fields('via')).toEqual(['2.0 plugboard-test'])
    expect(call.opening.fields.filter(each => each.startsWith(':'))).toEqual([])
    expect(proxy.harness.accessLog[0]).toMatchObject({ method: 'GET', host: 'test', path: '/b', status: 200 })
    expect(proxy.harness.proxy.counters).toMatchObject({ http2Connections: 1, requests: 1 })
  })

  it('H11 that have passed through this cluster before get 508, including upgrades', async () => {
    const via = '1.1 a, 2.0 plugboard-test'
    const response = await client.ask({ ...GET, via })
    expect([response.status, response.field('plugboard-error')]).toEqual([508, 'loop_detected'])
    const upgrade = { ...GET, ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http', via }
    expect((await readHttp2Response(client.open(upgrade))).status).toBe(508)
    expect(proxy.telephone.calls).toHaveLength(0)
  })

  it('in HTTP/1.1 are served on the same port', async () => {
    proxy.telephone.handler = call => call.respond(200, 'hello')
    const bytes = 'POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n'
    const response = await rawExchange(proxy.harness.port, bytes)
    expect(response.status).toBe(200)
  })

  it('Cookie fields are joined to one field (RFC 9113 section 8.2.3)', async () => {
    proxy.telephone.handler = call => call.respond(204)
    await client.ask({ ...GET, cookie: ['a=1', 'b=2', 'c=3'] })
    expect(proxy.telephone.calls[0]!.fields('cookie')).toEqual(['a=1; b=2; c=3'])
  })

  it('F12 keep their bodies, with every method, with and without a length', async () => {
    proxy.telephone.handler = async call => call.respond(200, (await call.ended).body.toString())
    for (const method of ['GET', 'DELETE', 'POST']) {
      expect((await client.ask({ ...GET, ':method': method }, 'body')).body.toString()).toBe('body')
      const sized = { ...GET, ':method': method, 'content-length': '4' }
      expect((await client.ask(sized, 'body')).body.toString()).toBe('body')
    }
    expect(proxy.telephone.calls.map(call => call.field('content-length'))).toEqual(
      [1, 2, 3].flatMap(() => [undefined, '4']),
    )
  })

  it('R7 trailers are relayed in both directions, except those that frame, route or authenticate', async () => {
    proxy.telephone.handler = async call => {
      const { trailers } = await call.ended
      call.stream.respond({ status: 200, statusText: '', fields: ['Trailer', 'x-sum'] })
      call.stream.write(Buffer.from('data'))
      call.stream.end([...(trailers ?? []), 'Content-Length', '9', 'X-Two', '1', 'X-Two', '2'])
    }
    const stream = client.session.request(POST, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': 'abc', authorization: 'no' }))
    const response = readHttp2Response(stream)
    stream.end('body')
    const { body, trailers, status } = await response
    expect([status, body.toString()]).toEqual([200, 'data'])
    expect(trailers).toEqual(['x-sum', 'abc', 'x-two', '1', 'x-two', '2'])
  })

  it('R7 trailers of a response with a length are relayed, whether it arrives at once or in pieces', async () => {
    for (const atOnce of [true, false]) {
      const stream = client.open(GET, true)
      const response = readHttp2Response(stream)
      const call = await proxy.telephone.nextCall()
      call.stream.respond({ status: 200, statusText: '', fields: ['Content-Length', '4'] })
      call.stream.write(Buffer.from('data'))
      if (!atOnce) await new Promise(resolve => stream.once('data', resolve))
      call.stream.end(['grpc-status', '0'])
      const { status, trailers, code } = await response
      expect([status, trailers, code]).toEqual([200, ['grpc-status', '0'], 0])
    }
  })

  it('F8 without :authority, Host selects the route', async () => {
    proxy.telephone.handler = call => call.respond(200)
    const response = await client.ask({ ':path': '/', host: 'test' })
    expect(response.status).toBe(200)
    expect(proxy.telephone.calls[0]!.fields('host')).toEqual(['test'])
  })

  it('F13 CONNECT is not allowed', async () => {
    const stream = client.session.request({ ':method': 'CONNECT', ':authority': 'test:80' })
    const response = readHttp2Response(stream)
    stream.end()
    expect((await response).field('plugboard-error')).toBe('method_not_allowed')
  })

  it('F9 Plugboard itself responds to OPTIONS *', async () => {
    const response = await client.ask({ ...GET, ':method': 'OPTIONS', ':path': '*' })
    expect([response.status, response.field('allow')]).toEqual([204, expect.stringContaining('OPTIONS')])
  })

  it.each([
    ['headers_too_large', 431, Object.fromEntries(Array.from({ length: 220 }, (_, at) => [`x-${at}`, '1']))],
    ['uri_too_long', 414, { ':path': `/${'a'.repeat(20_000)}` }],
    ['bad_request', 400, { ':path': '/../a' }],
    ['bad_request', 400, { ':authority': 'test:99999' }],
    ['bad_request', 400, { host: 'other' }],
    ['bad_request', 400, { ':scheme': 'ftp' }],
    ['bad_request', 400, { ':method': 'NONSENSE' }],
    ['route_not_found', 404, { ':authority': 'elsewhere' }],
    ['upgrade_required', 426, { ':path': '/_plugboard/tunnel' }],
    ['expectation_failed', 417, { expect: 'x' }],
  ])('%s', async (code, status, headers) => {
    const response = await client.ask({ ...GET, ...headers })
    expect([response.status, response.field('plugboard-error'), response.code]).toEqual([status, code, 0])
    expect(proxy.telephone.calls.length).toBe(0)
    // The connection is still usable.
    proxy.telephone.handler = call => call.respond(200)
    expect((await client.ask(GET)).status).toBe(200)
  })

  it('a refusal does not wait for the body, and stops the upload', async () => {
    proxy.harness.routes = [harnessRoute({ host: 'test', policy: { maxRequestBodyBytes: 10 } })]
    const stream = client.open({ ...POST, 'content-length': '1000000' })
    const response = await readHttp2Response(stream)
    expect([response.status, response.code]).toEqual([413, constants.NGHTTP2_NO_ERROR])
  })

  it('F15 a body that is cut off is an abort, with every error code', async () => {
    const head = rawHead('POST')
    const raw = await (await RawHttp2.open(proxy.harness.port)).greet()
    for (const [index, code] of [constants.NGHTTP2_CANCEL, constants.NGHTTP2_NO_ERROR].entries()) {
      const streamId = 2 * index + 1
      raw.request(streamId, head, false)
      raw.data(streamId, 'part')
      const call = await proxy.telephone.nextCall()
      await call.untilReceived(4)
      raw.send(resetFrame(streamId, code))
      await expect(call.ended).rejects.toThrow()
      expect((await call.aborted).reason).toBe('cancelled')
    }
    raw.request(5, head, false)
    raw.data(5, 'part')
    const call = await proxy.telephone.nextCall()
    await call.untilReceived(4)
    raw.destroy()
    expect((await call.aborted).reason).toBe('cancelled')
  })

  it('R12 S4 a body waits until the backend accepts it', async () => {
    const total = 8 * 1024 * 1024
    const stream = client.open(POST)
    const response = readHttp2Response(stream)
    stream.end(Buffer.alloc(total, 'x'))
    const call = await proxy.telephone.nextCall()
    call.autoConsume = false
    // The stream is accepted, so a whole window is in transit from here on.
    call.stream.respond({ status: 103, statusText: '', fields: [] })
    const consumed = call.receivedBytes
    await call.untilReceived(consumed + 100_000)
    for (let index = 0; index < 20; index += 1) await new Promise(setImmediate)
    expect(call.receivedBytes).toBeLessThan(total / 2)
    call.autoConsume = true
    call.stream.consume(call.receivedBytes - consumed)
    expect((await call.ended).body.length).toBe(total)
    call.respond(200)
    expect((await response).status).toBe(200)
  })
})

describe('responses', () => {
  it('R1 have no hop-by-hop fields, and their names are in lower case', async () => {
    proxy.telephone.handler = call =>
      call.respond(200, 'x', [
        'Connection',
        'X-Hop',
        'X-Hop',
        '1',
        'Keep-Alive',
        'max=1',
        'Upgrade',
        'h2c',
        'Plugboard-Error',
        'x',
        'X-Kept',
        '2',
        'Set-Cookie',
        'a=1',
        'Set-Cookie',
        'b=2',
        'Date',
        'then',
      ])
    const { raw } = await client.ask(GET)
    expect(raw).toEqual([
      ':status',
      '200',
      'x-kept',
      '2',
      'set-cookie',
      'a=1',
      'set-cookie',
      'b=2',
      'date',
      'then',
      'x-request-id',
      expect.stringMatching(/^[0-9a-f-]{36}$/),
      'via',
      '1.1 plugboard-test',
      'content-length',
      '1',
    ])
  })

  it('end with their head when they have no body, including trailers-only responses of gRPC', async () => {
    proxy.telephone.handler = call =>
      call.respond(200, '', ['grpc-status', '12', 'content-type', 'application/grpc'])
    const stream = client.open(GET, true)
    const flags = new Promise<number>(resolve => stream.on('response', (_headers, each) => resolve(each)))
    const response = await readHttp2Response(stream)
    expect((await flags) & 1).toBe(1)
    expect(response.field('grpc-status')).toBe('12')
  })

  it('R2 that are aborted are reset, never ended', async () => {
    const head = rawHead('GET')
    const raw = await (await RawHttp2.open(proxy.harness.port)).greet()
    for (const [index, fields] of [[], ['Content-Length', '10']].entries()) {
      const streamId = 2 * index + 1
      raw.request(streamId, head)
      const call = await proxy.telephone.nextCall()
      call.stream.respond({ status: 200, statusText: '', fields })
      call.stream.write(Buffer.from('part'))
      await raw.next(each => each.type === FRAME.data && each.streamId === streamId)
      call.stream.reset('backend_closed')
      expect(await raw.ended(streamId)).toBe(constants.NGHTTP2_INTERNAL_ERROR)
    }
    expect(proxy.harness.proxy.counters.truncated).toBe(2)
    raw.destroy()
  })

  it.each([
    ['too short', ['Content-Length', '10'], 'part'],
    ['too long', ['Content-Length', '2'], 'part'],
    ['two lengths', ['Content-Length', '2', 'Content-Length', '4'], 'part'],
    ['a field with an invalid name', ['X Y', '1'], 'part'],
  ])('R8 %s: 502', async (_name, fields, body) => {
    proxy.telephone.handler = call => call.respond(200, body, fields)
    const response = await client.ask(GET)
    expect([response.status, response.field('plugboard-error')]).toEqual([502, 'backend_protocol_error'])
  })

  it('R3 before the end of the upload are complete, and stop the upload', async () => {
    const stream = client.open(POST)
    const response = readHttp2Response(stream)
    stream.write('begin')
    const call = await proxy.telephone.nextCall()
    await call.untilReceived(5)
    call.respond(400, 'enough')
    const { status, body, code } = await response
    expect([status, body.toString(), code]).toEqual([400, 'enough', constants.NGHTTP2_NO_ERROR])
    expect((await call.aborted).reason).toBe('cancelled')
  })

  it('R4 R5 1xx responses are relayed, a 100 only to a client that waits for it', async () => {
    proxy.telephone.handler = call => {
      call.stream.respond({ status: 103, statusText: '', fields: ['Link', '</a>'] })
      call.stream.respond({ status: 100, statusText: '', fields: [] })
      call.respond(200)
    }
    expect((await client.ask(GET)).interim).toEqual([103])
    const waiting = { ...POST, expect: '100-continue', 'content-length': '1' }
    expect((await client.ask(waiting, 'x')).interim).toEqual([103, 100])
  })

  it('R6 HEAD, 204 and 304 have no body', async () => {
    proxy.telephone.handler = call =>
      call.respond(Number(call.field('x-status')), 'body', ['Content-Length', '4'])
    for (const [method, status] of [
      ['HEAD', 200],
      ['GET', 204],
      ['GET', 304],
    ] as const) {
      const response = await client.ask({ ...GET, ':method': method, 'x-status': String(status) })
      expect([response.status, response.body.length, response.code]).toEqual([status, 0, 0])
      expect(response.field('content-length')).toBe(status === 204 ? undefined : '4')
    }
  })

  it('R9 each piece of the body is sent at once', async () => {
    const stream = client.open(GET, true)
    const call = await proxy.telephone.nextCall()
    call.stream.respond({ status: 200, statusText: '', fields: [] })
    for (const piece of ['one', 'two', 'three']) {
      call.stream.write(Buffer.from(piece))
      const [chunk] = await new Promise<Buffer[]>(resolve =>
        stream.once('data', (each: Buffer) => resolve([each])),
      )
      expect(chunk!.toString()).toBe(piece)
    }
    call.stream.end()
  })

  it('R11 a reset by the client reaches the backend at once, and affects no other stream', async () => {
    const closed = client.open(GET, true)
    const call = await proxy.telephone.nextCall()
    const stays = client.ask(GET)
    const other = await proxy.telephone.nextCall()
    closed.close(constants.NGHTTP2_CANCEL)
    expect((await call.aborted).reason).toBe('cancelled')
    expect(proxy.harness.proxy.counters.clientAborts).toBe(1)
    other.respond(200, 'here')
    expect((await stays).body.toString()).toBe('here')
    expect(proxy.harness.accessLog.map(({ status }) => status).sort()).toEqual([200, 499])
  })

  it('S3 a backend that sends no response: 504', async () => {
    proxy.harness.routes = [harnessRoute({ host: 'test', policy: { responseHeadTimeoutMs: 30 } })]
    const response = await client.ask(GET)
    expect([response.status, response.field('plugboard-error')]).toEqual([504, 'backend_timeout'])
  })

  it('S4 one reader that stalls costs one window, and other streams continue', async () => {
    const total = 64 * 1024 * 1024
    let written = 0
    proxy.telephone.handler = async call => {
      if (call.opening.target !== '/big') return call.respond(200, 'small')
      call.stream.respond({ status: 200, statusText: '', fields: ['Content-Length', String(total)] })
      const chunk = Buffer.alloc(65_536, 'x')
      for (; written < total; written += chunk.length) {
        if (!call.stream.write(chunk)) await call.untilWritable().catch(() => undefined)
        if (!call.stream.open) return
      }
    }
    const stalled = client.open({ ...GET, ':path': '/big' }, true)
    await new Promise(resolve => stalled.once('response', resolve))
    for (let index = 0; index < 50; index += 1) {
      expect((await client.ask(GET)).body.toString()).toBe('small')
    }
    expect(written).toBeLessThan(total)
    stalled.close(constants.NGHTTP2_CANCEL)
  })
})

describe('WebSockets (RFC 8441)', () => {
  const connect = { ...GET, ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat' }
  const proofOf = (key: string): string =>
    createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')

  async function settings(): Promise<void> {
    if (!client.session.remoteSettings.enableConnectProtocol) {
      await new Promise(resolve => client.session.once('remoteSettings', resolve))
    }
  }

  it('U1 U4 reach the backend as an HTTP/1.1 upgrade, then bytes are relayed', async () => {
    await settings()
    const stream = client.open({ ...connect, 'sec-websocket-version': '13', 'sec-websocket-key': 'mine' })
    const head = new Promise<readonly string[]>(resolve =>
      stream.on('response', (_headers: unknown, _flags: unknown, raw?: readonly string[]) =>
        resolve(raw ?? []),
      ),
    )
    const call = await proxy.telephone.nextCall()
    expect(call.opening).toMatchObject({ kind: 'upgrade', method: 'GET', target: '/chat' })
    expect(call.field('upgrade')).toBe('websocket')
    const [key = ''] = call.fields('sec-websocket-key')
    expect(Buffer.from(key, 'base64').length).toBe(16)
    call.stream.respond({
      status: 101,
      statusText: '',
      fields: ['Upgrade', 'websocket', 'Sec-WebSocket-Accept', proofOf(key), 'Sec-WebSocket-Protocol', 'p'],
    })
    expect(await head).toEqual([
      ':status',
      '200',
      'sec-websocket-protocol',
      'p',
      'x-request-id',
      expect.any(String),
      'via',
      '1.1 plugboard-test',
      'date',
      expect.any(String),
    ])
    stream.write('ping')
    await call.untilReceived(4)
    call.stream.write(Buffer.from('pong'))
    expect(String(await new Promise(resolve => stream.once('data', resolve)))).toBe('pong')
    // Each direction ends separately.
    stream.end('last')
    expect((await call.ended).body.toString()).toBe('pinglast')
    call.stream.write(Buffer.from('bye'))
    call.stream.end()
    const rest = await readHttp2Response(stream)
    expect([rest.body.toString(), rest.code]).toEqual(['bye', 0])
    expect(proxy.harness.proxy.counters.upgrades).toBe(1)
  })

  it('a handshake without a valid Sec-WebSocket-Accept is refused', async () => {
    await settings()
    const response = readHttp2Response(client.open(connect))
    const call = await proxy.telephone.nextCall()
    call.stream.respond({ status: 101, statusText: '', fields: ['Sec-WebSocket-Accept', 'x'] })
    expect((await response).field('plugboard-error')).toBe('backend_protocol_error')
  })

  it('U2 any other response is relayed as plain HTTP', async () => {
    await settings()
    const response = readHttp2Response(client.open(connect))
    ;(await proxy.telephone.nextCall()).respond(403, 'no')
    const { status, body } = await response
    expect([status, body.toString()]).toEqual([403, 'no'])
  })

  it('an extended CONNECT for another protocol is refused', async () => {
    await settings()
    const response = await readHttp2Response(client.open({ ...connect, ':protocol': 'connect-udp' }))
    expect(response.status).toBe(405)
  })

  it('R11 a client that disconnects causes an abort', async () => {
    await settings()
    const stream = client.open(connect)
    const call = await proxy.telephone.nextCall()
    const proof = proofOf(call.field('sec-websocket-key') ?? '')
    call.stream.respond({ status: 101, statusText: '', fields: ['Sec-WebSocket-Accept', proof] })
    await new Promise(resolve => stream.once('response', resolve))
    stream.close(constants.NGHTTP2_CANCEL)
    await call.aborted
  })
})

describe('the end', () => {
  it('a replica that leaves sends GOAWAY, and closes the connection with the last stream', async () => {
    const before = client.ask(GET)
    const call = await proxy.telephone.nextCall()
    const goaway = new Promise<number>(resolve =>
      client.session.once('goaway', (code: number) => resolve(code)),
    )
    proxy.harness.proxy.leave()
    expect(await goaway).toBe(constants.NGHTTP2_NO_ERROR)
    const drained = proxy.harness.proxy.drain(5000)
    call.respond(200, 'late')
    expect((await before).body.toString()).toBe('late')
    await drained
    await eventually('the connection closes', () => (client.session.destroyed ? true : undefined))
  })

  it('a replica that leaves reports the last stream that it serves, and serves no later one', async () => {
    const head = rawHead('GET')
    const raw = await (await RawHttp2.open(proxy.harness.port)).greet()
    const later = await (await RawHttp2.open(proxy.harness.port)).greet()
    raw.request(1, head)
    const call = await proxy.telephone.nextCall()
    proxy.harness.proxy.leave()
    const goaway = await raw.next(each => each.type === FRAME.goaway)
    expect([goaway.payload.readUInt32BE(0), goaway.payload.readUInt32BE(4)]).toEqual([1, 0])
    // This stream needs no response: by the GOAWAY, its client can retry it.
    raw.request(3, head)
    call.respond(204)
    expect(await raw.ended(1)).toBe('end')
    await raw.closed()
    // A connection that had no request yet still gets one response.
    later.request(1, head)
    const first = await proxy.telephone.nextCall()
    first.respond(204)
    expect(await later.ended(1)).toBe('end')
    await later.closed()
    expect(proxy.telephone.calls.length).toBe(2)
  })

  it('a whole window can be in transit, not only 64 KiB', async () => {
    const raw = await (await RawHttp2.open(proxy.harness.port)).greet()
    const update = await raw.next(each => each.type === FRAME.windowUpdate && each.streamId === 0)
    expect(update.payload.readUInt32BE(0) + 65_535).toBe(4 * 1024 * 1024)
    raw.destroy()
  })

  it('a connection without any bytes does not delay a stop', async () => {
    const silent = await RawHttp2.open(proxy.harness.port)
    await eventually('it is accepted', () => (proxy.harness.proxy.connectionCount > 0 ? true : undefined))
    client.close()
    const stopped = proxy.harness.proxy.drain(60_000)
    await silent.closed()
    await stopped
  })

  it('a connection without requests is closed after a while', async () => {
    const quick = await ProxyHarness.start({ http2Cleartext: true, limits: { keepAliveTimeoutMs: 30 } })
    const idle = new Http2Client(`http://127.0.0.1:${quick.port}`)
    await new Promise(resolve => idle.session.once('close', resolve))
    await quick.close()
  })

  it('the grace period ends streams that do not finish', async () => {
    const response = client.ask(GET)
    await proxy.telephone.nextCall()
    await proxy.harness.proxy.drain(20)
    expect((await response).status).toBe(0)
  })
})
