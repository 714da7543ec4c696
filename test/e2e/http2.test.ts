// HTTP/2 from end to end: clients over TLS and in cleartext, a browser, and gRPC calls from a real client to a real server
// through Plugboard, tunnel and Telephone.

import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { constants } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { status as grpc, Metadata } from '@grpc/grpc-js'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ECHO_TRAILERS, GrpcBackend } from '../support/backend/grpc-backend.ts'
import { APP_CERTIFICATE, TEST_CA } from '../support/credentials/certificates.ts'
import { eventually } from '../support/deadline.ts'
import { GrpcClient, resultOfStream } from '../support/http/grpc-client.ts'
import { Http2Client, readHttp2Response } from '../support/http/http2-client.ts'
import { patternBytes, patternHash } from '../support/pattern.ts'
import { CHROMIUM, launchChromium } from '../support/process/chromium.ts'
import { freePort } from '../support/process/free-port.ts'
import { HOST, Stack } from '../support/programs/stack.ts'

const folder = mkdtempSync(join(tmpdir(), 'vera-http2-'))
const grpcBackend = new GrpcBackend()
let tlsPort = 0
let stack: Stack
let client: Http2Client

beforeAll(async () => {
  await writeFile(join(folder, 'app.crt'), APP_CERTIFICATE.cert)
  await writeFile(join(folder, 'app.key'), APP_CERTIFICATE.key)
  tlsPort = await freePort()
  const flags = [
    '--tls-listen',
    `127.0.0.1:${tlsPort}`,
    '--tls-certificate-folder',
    folder,
    '--http2-cleartext',
  ]
  stack = new Stack({ plugboardArgs: flags })
  await stack.start()
  await stack.plugboard.addService('grpc')
  for (const mount of ['localhost', 'grpc.test']) await stack.plugboard.addRoute(mount, 'grpc')
  const target = `h2c://localhost:${await grpcBackend.start()}`
  await stack.startTelephone({ service: 'grpc', target })
  client = new Http2Client(`https://127.0.0.1:${tlsPort}`, { ca: TEST_CA, servername: HOST })
  await once(client.session, 'connect')
})
afterAll(async () => {
  client.close()
  grpcBackend.stop()
  await stack.stop()
  await rm(folder, { recursive: true, force: true })
})

/** Resolves with the number of open streams of all tunnels. It is 0 when all clients are served or have disconnected. */
afterEach(() =>
  eventually('no stream is left open', async () => {
    const rows = (await stack.plugboard.telephones()) as { streams: number }[]
    return rows.every(({ streams }) => streams === 0) ? true : undefined
  }),
)

const head = (path: string, more = {}) => ({ ':authority': HOST, ':path': path, ...more })
const post = (path: string) => head(path, { ':method': 'POST' })

describe('over TLS', () => {
  it('ALPN chooses HTTP/2, and the backend receives the protocol of the client', async () => {
    expect(client.session.alpnProtocol).toBe('h2')
    const response = await client.ask(head('/request'))
    expect(response.status).toBe(200)
    const { rawHeaders } = JSON.parse(response.body.toString()) as { rawHeaders: string[] }
    expect(rawHeaders[rawHeaders.indexOf('X-Forwarded-Proto') + 1]).toBe('https')
    expect(rawHeaders[rawHeaders.indexOf('host') + 1]).toBe(HOST)
  })

  it('carries many bodies at once in both directions without changes', async () => {
    const bytes = 3_000_000
    const body = patternBytes(0, bytes)
    const up = Array.from({ length: 8 }, () => client.ask(post('/hash'), body))
    const down = Array.from({ length: 8 }, () => client.ask(head(`/download?bytes=${bytes}`)))
    for (const response of await Promise.all(up)) {
      expect(JSON.parse(response.body.toString())).toMatchObject({ bytes, sha256: patternHash(bytes) })
    }
    for (const response of await Promise.all(down)) expect(response.body.equals(body)).toBe(true)
  })

  it('a client that loses its connection in an upload causes an abort at the backend', async () => {
    const other = new Http2Client(`https://127.0.0.1:${tlsPort}`, { ca: TEST_CA, servername: HOST })
    other.open(post('/silent?cut=1')).write('part')
    const { id } = await stack.backend.next('request', report => report.url === '/silent?cut=1')
    other.session.socket.destroy()
    await stack.backend.next('answer', report => report.id === id && !report.sent)
    expect(stack.backend.all('body').filter(report => report.id === id && report.complete)).toEqual([])
  })

  it('a stream that is not read does not delay other streams of the connection', async () => {
    const stalled = client.open(head('/download?bytes=50000000'), true)
    await once(stalled, 'response')
    for (let index = 0; index < 50; index += 1) {
      expect((await client.ask(head('/hello'))).body.toString()).toBe('hello\n')
    }
    stalled.close(constants.NGHTTP2_CANCEL)
  })
})

describe.each(['TLS', 'cleartext'])('gRPC over %s', how => {
  let calls: GrpcClient
  beforeAll(() => {
    calls =
      how === 'TLS' ? new GrpcClient(tlsPort, 'localhost', TEST_CA) : new GrpcClient(stack.port, 'grpc.test')
  })
  afterAll(() => calls.close())

  it('unary calls, with metadata in both directions', async () => {
    const metadata = new Metadata()
    metadata.set('x-one', '1')
    metadata.set('x-two-bin', Buffer.from([0, 255]))
    const { code, messages, trailers } = await calls.unary('hello', {}, metadata)
    expect([code, messages]).toEqual([grpc.OK, ['hello']])
    expect(trailers.get('x-echo')).toEqual([ECHO_TRAILERS['x-echo']])
    expect(trailers.get('x-echo-bin')).toEqual([ECHO_TRAILERS['x-echo-bin']])
    const seen = grpcBackend.calls.at(-1)!
    expect([seen.metadata.get('x-one'), seen.metadata.get('x-two-bin')]).toEqual([
      ['1'],
      [Buffer.from([0, 255])],
    ])
  })

  it('messages of megabytes, many calls at once', async () => {
    const big = Buffer.alloc(3_000_000, 'x')
    const results = await Promise.all(
      [...Array(20).keys()].map(at => calls.unary(at % 5 === 0 ? big : `call ${at}`)),
    )
    expect(results.map(({ code }) => code)).toEqual(results.map(() => grpc.OK))
    expect(results.map(({ messages }) => messages[0])).toEqual(
      results.map((_, at) => (at % 5 === 0 ? `${big.length} bytes` : `call ${at}`)),
    )
  })

  it('errors have their code and their text', async () => {
    const { code, details } = await calls.unary('fail 5 no such thing')
    expect([code, details]).toEqual([grpc.NOT_FOUND, 'no such thing'])
    expect((await calls.unary('x', {}, new Metadata(), '/echo.Echo/Nothing')).code).toBe(grpc.UNIMPLEMENTED)
  })

  it('streams from the server, from the client, and in both directions at once', async () => {
    const down = await resultOfStream(calls.serverStreaming('count 100'))
    expect([down.code, down.messages]).toEqual([grpc.OK, [...Array(100).keys()].map(String)])
    expect((await calls.clientStreaming(['a', 'b', 'c'])).messages).toEqual(['a,b,c'])
    const both = calls.bidirectional()
    const result = resultOfStream(both)
    for (const message of ['one', 'two', 'three']) {
      both.write(Buffer.from(message))
      // Each response arrives before the next message is sent.
      expect(String((await once(both, 'data'))[0])).toBe(message)
    }
    both.end()
    expect((await result).code).toBe(grpc.OK)
  })

  it('an error in the middle of a client stream ends it with its status', async () => {
    const down = await resultOfStream(calls.serverStreaming('fail 7 not you'))
    expect([down.code, down.details]).toEqual([grpc.PERMISSION_DENIED, 'not you'])
  })

  it('a call that is cancelled is cancelled at the server', async () => {
    const call = calls.serverStreaming('hang')
    const result = resultOfStream(call)
    const before = grpcBackend.calls.length
    await grpcBackend.until(({ calls: seen }) => seen.length > before || seen.at(-1)?.received[0] === 'hang')
    call.cancel()
    expect((await result).code).toBe(grpc.CANCELLED)
    const seen = grpcBackend.calls.at(-1)!
    await grpcBackend.until(() => seen.cancelled)
  })

  it('a deadline ends a call on both sides', async () => {
    const result = await calls.unary('hang', { deadline: Date.now() + 300 })
    expect(result.code).toBe(grpc.DEADLINE_EXCEEDED)
    await grpcBackend.until(({ calls: seen }) =>
      seen.every(({ received, cancelled }) => received[0] !== 'hang' || cancelled),
    )
  })
})

it('Plugboard itself responds to a gRPC call with a gRPC status', async () => {
  const nowhere = new GrpcClient(stack.port, 'nowhere.test')
  expect((await nowhere.unary('x')).code).toBe(grpc.UNIMPLEMENTED)
  nowhere.close()
})

if (!CHROMIUM) console.log('no Chromium on this machine: HTTP/2 is not tried in a browser')

it.skipIf(!CHROMIUM)('a browser uses HTTP/2, and its WebSockets share the connection', async () => {
  const browser = await launchChromium()
  const context = await browser.newContext({ ignoreHTTPSErrors: true })
  const page = await context.newPage()
  await page.goto(`https://${HOST}:${tlsPort}/hello`)
  const [protocol, echoed] = await page.evaluate(async url => {
    const [navigation] = performance.getEntries() as { nextHopProtocol?: string }[]
    const socket = new WebSocket(url)
    const message = await new Promise((resolve, reject) => {
      socket.onopen = () => socket.send('hello from a page')
      socket.onmessage = event => resolve(event.data)
      socket.onerror = () => reject(new Error('no WebSocket'))
    })
    socket.close()
    return [navigation?.nextHopProtocol, message]
  }, `wss://${HOST}:${tlsPort}/ws`)
  await browser.close()
  expect([protocol, echoed]).toEqual(['h2', 'hello from a page'])
})

it('a stream that a browser opens as a WebSocket reaches the backend as one', async () => {
  const stream = client.open(
    head('/ws', { ':method': 'CONNECT', ':protocol': 'websocket', 'sec-websocket-version': '13' }),
  )
  const [headers] = await once(stream, 'response')
  expect(headers[':status']).toBe(200)
  // A masked text frame of two bytes, and its echo (RFC 6455 section 5.2).
  stream.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]))
  const [echo] = await once(stream, 'data')
  expect([...(echo as Buffer)]).toEqual([0x81, 2, 0x68, 0x69])
  stream.close(constants.NGHTTP2_CANCEL)
  await readHttp2Response(stream)
})
