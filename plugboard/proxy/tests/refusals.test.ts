// Every request has an id and an access line with its client's address, even when Node's parser, nghttp2, a timer or the tunnel
// endpoint refused it.

import { type Log, type LogFields, silentLogger } from '@vera-stack/shared/log.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ProxyHarness } from '../../../test/support/harness/proxy-harness.ts'
import { FRAME, fieldBlock, frame } from '../../../test/support/http/http2-frames.ts'
import { field, RawConnection, rawExchange } from '../../../test/support/http/raw-connection.ts'
import { RawHttp2 } from '../../../test/support/http/raw-http2.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/
const LOCAL = '127.0.0.1'
const limits = { maxHeadBytes: 4096, maxTargetBytes: 1024, maxHeaders: 20 }

let harness: ProxyHarness
let warnings: LogFields[]

beforeEach(async () => {
  warnings = []
  const log: Log = { ...silentLogger, warn: (_, fields = {}) => warnings.push(fields) }
  harness = await ProxyHarness.start({ http2Cleartext: true, trustedProxies: ['127.0.0.9'], limits, log })
})
afterEach(() => harness.close())

/** Returns the only access line, when it has been written. */
async function onlyLine() {
  await expect.poll(() => harness.accessLog).toHaveLength(1)
  return harness.accessLog[0]!
}

describe('HTTP/1', () => {
  it.each([
    ['a bare LF', 'GET / HTTP/1.1\nHost: test\n\n', 400, 'bad_request'],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
      'bad_request',
    ],
    ['another version', 'GET / HTTP/1.2\r\nHost: test\r\n\r\n', 400, 'bad_request'],
    ['an unknown method', 'NONSENSE / HTTP/1.1\r\nHost: test\r\n\r\n', 400, 'bad_request'],
    ['bytes of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'bad_request'],
    [
      'a head that is too large',
      `GET / HTTP/1.1\r\nHost: test\r\nX: ${'x'.repeat(5000)}\r\n\r\n`,
      431,
      'headers_too_large',
    ],
    [
      'a target that is too long',
      `GET /${'x'.repeat(5000)} HTTP/1.1\r\nHost: test\r\n\r\n`,
      414,
      'uri_too_long',
    ],
  ])('%s', async (_, bytes, status, code) => {
    const response = await rawExchange(harness.port, bytes)
    const requestId = field(response.headers, 'x-request-id')
    expect(requestId).toMatch(ID)
    expect(response.status).toBe(status)
    expect(JSON.parse(response.body.toString())).toMatchObject({ code, requestId })
    expect(await onlyLine()).toMatchObject({
      requestId,
      status,
      code,
      remoteAddress: LOCAL,
      bytesOut: response.body.length,
      detail: expect.stringMatching(/./),
    })
    expect(harness.proxy.counters.problems).toEqual({ [code]: 1 })
  })

  it.each([
    ['a head that does not end', 'GET / HTTP/1.1\r\nHost: te', false],
    ['no bytes', '', false],
    ['the beginning of both versions', 'P', true],
  ])('%s', async (_, bytes, http2Cleartext) => {
    const hurried = await ProxyHarness.start({ http2Cleartext, limits: { headTimeoutMs: 60 } })
    const response = await rawExchange(hurried.port, bytes)
    const requestId = field(response.headers, 'x-request-id')
    expect(JSON.parse(response.body.toString())).toMatchObject({ code: 'request_timeout', requestId })
    expect(hurried.accessLog).toMatchObject([
      { requestId, status: 408, code: 'request_timeout', remoteAddress: LOCAL },
    ])
    await hurried.close()
  })

  it('a body that breaks while its request waits gets only the access line of that request', async () => {
    await harness.telephone()
    const connection = await RawConnection.open(harness.port)
    await connection.send('POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n')
    expect((await connection.readResponse()).status).toBe(400)
    expect(await onlyLine()).toMatchObject({ host: 'test', path: '/', code: 'bad_request' })
    connection.destroy()
  })

  it('writes few lines for a client that repeats it, and summarises the rest', async () => {
    for (let index = 0; index < 25; index += 1)
      await rawExchange(harness.port, 'GET / HTTP/1.1\nHost: test\n\n')
    expect(harness.accessLog).toHaveLength(10)
    expect(harness.proxy.counters.problems).toEqual({ bad_request: 25 })
    await harness.proxy.drain(1000)
    expect(warnings).toEqual([{ remoteAddress: LOCAL, code: 'bad_request', count: 15 }])
  })

  it('logs the client that a PROXY header names', async () => {
    const proxied = await ProxyHarness.start({ trustedProxies: [LOCAL], proxyProtocol: true })
    const header = 'PROXY TCP4 203.0.113.7 10.0.0.1 56324 80\r\n'
    await rawExchange(proxied.port, `${header}GET / HTTP/1.1\nHost: test\n\n`)
    await expect.poll(() => proxied.accessLog).toMatchObject([{ remoteAddress: '203.0.113.7' }])
    await proxied.close()
  })
})

describe('refusals of other parts', () => {
  it('a refused telephone', async () => {
    const refusing = await ProxyHarness.start({ tunnels: { accept: ({ refuse }) => refuse('unauthorized') } })
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
    const response = await rawExchange(
      refusing.port,
      `GET /_plugboard/tunnel HTTP/1.1\r\nHost: test\r\n${upgrade}`,
    )
    expect(refusing.accessLog).toMatchObject([
      {
        requestId: field(response.headers, 'x-request-id'),
        method: 'GET',
        host: 'test',
        path: '/_plugboard/tunnel',
        status: 401,
        code: 'unauthorized',
        remoteAddress: LOCAL,
      },
    ])
    await refusing.close()
  })

  it('a challenge of a certificate authority', async () => {
    const path = '/.well-known/acme-challenge/token'
    const challenged = await ProxyHarness.start({ challenges: { http: () => Promise.resolve('proof') } })
    const response = await rawExchange(challenged.port, `GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`)
    const requestId = field(response.headers, 'x-request-id')
    expect(requestId).toMatch(ID)
    expect(challenged.accessLog).toMatchObject([{ requestId, host: 'test', path, status: 200, bytesOut: 5 }])
    await challenged.close()
  })
})

describe('HTTP/2', () => {
  type Field = readonly [string, string]
  const head = (method = 'GET', fields: readonly Field[] = []): Field[] => [
    [':method', method],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'test'],
    ...fields,
  ]
  const MALFORMED = head('GET', [['te', 'gzip']])

  async function greeted(): Promise<RawHttp2> {
    return (await RawHttp2.open(harness.port)).greet()
  }

  it.each([
    ['an ambiguous head', head('GET', [['host', 'other']]), 400, 'bad_request', ''],
    [
      'CONNECT',
      [
        [':method', 'CONNECT'],
        [':authority', 'test'],
      ] as Field[],
      405,
      'method_not_allowed',
      'CONNECT',
    ],
  ])('%s', async (_, fields, status, code, method) => {
    const raw = await greeted()
    raw.request(1, fields)
    const body = await raw.next(({ type, streamId }) => type === FRAME.data && streamId === 1)
    const { requestId } = JSON.parse(body.payload.toString()) as { requestId: string }
    expect(requestId).toMatch(ID)
    expect(await onlyLine()).toMatchObject({ requestId, status, code, method, remoteAddress: LOCAL })
    raw.destroy()
  })

  it('keeps the id that the client sent', async () => {
    const raw = await greeted()
    raw.request(1, [...head('GET', [['host', 'other']]), ['x-request-id', 'r-1']])
    expect(await onlyLine()).toMatchObject({ requestId: 'r-1' })
    raw.destroy()
  })

  it.each([
    ['behind a request', [3, 5, 7], 3],
    ['alone', [1], 1],
  ])('streams that the parser resets, %s: one line for the connection', async (_, malformed, count) => {
    const raw = await greeted()
    if (malformed[0] !== 1) {
      raw.request(1, head())
      await raw.ended(1)
    }
    for (const id of malformed) raw.request(id, MALFORMED)
    await raw.ended(malformed.at(-1)!)
    const before = harness.accessLog.length
    raw.socket.end()
    await raw.closed()
    await expect
      .poll(() => harness.accessLog.slice(before))
      .toMatchObject([
        {
          status: 400,
          code: 'bad_request',
          remoteAddress: LOCAL,
          requestId: expect.stringMatching(ID),
          detail: `HTTP/2: ${count} streams reset by the parser`,
        },
      ])
  })

  it('writes no line for a client whose first stream has a later id, or that disconnects in order', async () => {
    const raw = await greeted()
    for (const id of [15, 17]) {
      raw.request(id, head())
      await raw.ended(id)
    }
    raw.socket.end()
    await raw.closed()
    await expect.poll(() => harness.proxy.connectionCount).toBe(0)
    expect(harness.accessLog.map(({ code }) => code)).toEqual(['no_telephone', 'no_telephone'])
  })

  it('frames that break the protocol', async () => {
    const raw = await greeted()
    raw.send(frame(FRAME.headers, 0, 1, fieldBlock(head().flat())), frame(FRAME.ping, 0, 0, '12345678'))
    await raw.closed()
    expect(await onlyLine()).toMatchObject({ code: 'bad_request', status: 400, remoteAddress: LOCAL })
  })

  it('a preface without SETTINGS', async () => {
    const hurried = await ProxyHarness.start({ http2Cleartext: true, limits: { headTimeoutMs: 200 } })
    const raw = await RawHttp2.open(hurried.port)
    raw.send(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'))
    await raw.closed()
    // The SETTINGS did not arrive in time. On a busy machine, even the preface may be late.
    expect(hurried.accessLog).toMatchObject([{ code: 'request_timeout', status: 408, remoteAddress: LOCAL }])
    await hurried.close()
  })

  it('a connection that its client resets is not a refusal', async () => {
    const raw = await greeted()
    raw.socket.resetAndDestroy()
    await expect.poll(() => harness.proxy.connectionCount).toBe(0)
    expect(harness.accessLog).toEqual([])
  })
})

describe('a head in cleartext, where HTTP/2 is possible as well', () => {
  it.each([
    ['silence', ''],
    ['the beginning of both versions', 'P'],
    ['the beginning of a head', 'POST / HTTP/1.1\r\nHos'],
  ])('gets headTimeout only once, from the start of the connection: %s', async (_, bytes) => {
    const clock = new ManualClock()
    const slow = await ProxyHarness.start({ http2Cleartext: true, clock, limits: { headTimeoutMs: 10_000 } })
    const connection = await RawConnection.open(slow.port)
    await expect.poll(() => slow.proxy.connectionCount).toBe(1)
    clock.advance(9000)
    const before = connection.socket.bytesWritten
    await connection.send(bytes)
    await expect.poll(() => connection.socket.bytesWritten - before).toBe(bytes.length)
    // When the bytes of a later connection have arrived, these have arrived as well.
    await rawExchange(slow.port, 'GET / HTTP/1.1\r\nHost: test\r\n\r\n')
    clock.advance(1000)
    expect((await connection.readResponse()).status).toBe(408)
    expect(await connection.closed).toBe('fin')
    await slow.close()
  })

  it('does not close a connection whose first request has arrived', async () => {
    const clock = new ManualClock()
    const slow = await ProxyHarness.start({ http2Cleartext: true, clock, limits: { headTimeoutMs: 10_000 } })
    const connection = await RawConnection.open(slow.port)
    for (const _ of [1, 2]) {
      await connection.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
      expect((await connection.readResponse()).status).toBe(503)
      clock.advance(20_000)
    }
    await slow.close()
  })
})
