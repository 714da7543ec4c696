// Tests certificates on both hops: from the Telephone to Plugboard, also through a proxy, and from the Telephone to the backend.

import { once } from 'node:events'
import { createServer as createHttp, type Server as HttpServer } from 'node:http'
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2'
import { createServer as createHttps, type Server } from 'node:https'
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net'
import { systemClock } from '@vera-stack/shared/clock.ts'
import { parseTarget } from '@vera-stack/shared/net/backend-target.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { useLeakCheck } from '../test/support/leak-check.ts'
import { memoryTransportPair } from '../test/support/session/memory-transport.ts'
import { Forwarder } from './backend/forward/forward.ts'
import { HttpBackend, type HttpBackendOptions } from './backend/forward/http-backend.ts'
import { connect } from './index.ts'
import { FakePlugboard } from './testing/fake-plugboard.ts'
import { TEST_CERTIFICATE, TEST_KEY } from './testing/test-certificate.ts'
import { Caller, tunnelPair } from './testing/tunnel-pair.ts'

useLeakCheck()

const certificate = { cert: TEST_CERTIFICATE, key: TEST_KEY }

describe('a backend on https', () => {
  let server: Server
  let port: number
  beforeEach(async () => {
    server = createHttps(certificate, (request, response) => {
      request.pipe(response.writeHead(200, { 'X-Host': request.headers.host }))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  })
  afterEach(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })

  async function call(options: HttpBackendOptions): Promise<Caller> {
    const backend = new HttpBackend(parseTarget(`https://localhost:${port}`), systemClock, options)
    const forwarder = new Forwarder({ backends: new Map([['web', backend]]), now: () => 0 })
    const tunnel = await tunnelPair(memoryTransportPair(), (s, opening) => forwarder.onStream(s, opening))
    const caller = new Caller(tunnel.plugboard, { method: 'POST' }, false)
    const big = 'x'.repeat(200_000)
    caller.send(big).stream.end()
    await caller.until(c => c.over)
    await tunnel.close()
    forwarder.close()
    return caller
  }

  it('is trusted with its CA, or without a check, and carries bodies both ways', async () => {
    for (const options of [{ tlsCa: TEST_CERTIFICATE }, { tlsVerify: false }]) {
      expect(await call(options)).toMatchObject({ status: 200, bytes: 200_000, error: undefined })
    }
  })

  it('is not trusted otherwise', async () => {
    const { error } = await call({})
    expect(error).toMatchObject({ reason: 'backend_unreachable' })
    expect(error).toMatchObject({ causeCode: 'tls_self_signed' })
    expect(error?.message).toContain('SELF_SIGNED')
  })
})

describe('a backend on h2', () => {
  let server: Http2SecureServer | Server | HttpServer
  let sessions: ServerHttp2Session[]

  async function listen(): Promise<void> {
    sessions = []
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }

  async function start(): Promise<void> {
    server = createSecureServer(certificate)
    server.on('session', session => sessions.push(session))
    server.on('request', (request, response) => {
      response.writeHead(200, { 'x-seen': `${request.scheme} ${request.authority}` })
      request.pipe(response)
    })
    server.on('sessionError', () => undefined)
    await listen()
  }
  afterEach(async () => {
    for (const session of sessions) session.destroy()
    server.close()
    await once(server, 'close')
  })

  async function call(options: HttpBackendOptions): Promise<Caller> {
    const { port } = server.address() as AddressInfo
    const backend = new HttpBackend(parseTarget(`h2://localhost:${port}`), systemClock, options)
    const forwarder = new Forwarder({ backends: new Map([['web', backend]]), now: () => 0 })
    const tunnel = await tunnelPair(memoryTransportPair(), (s, opening) => forwarder.onStream(s, opening))
    const caller = new Caller(tunnel.plugboard, { method: 'POST' }, false)
    caller.send('x'.repeat(200_000)).stream.end()
    await caller.until(c => c.over)
    await tunnel.close()
    forwarder.close()
    return caller
  }

  it('is trusted with its CA, or without a check, and carries bodies both ways', async () => {
    await start()
    for (const options of [{ tlsCa: TEST_CERTIFICATE }, { tlsVerify: false }]) {
      const caller = await call(options)
      expect(caller).toMatchObject({ status: 200, bytes: 200_000, error: undefined })
      expect(caller.heads[0]?.fields).toContain('https a.test')
    }
  })

  it('is not trusted otherwise', async () => {
    await start()
    const { error } = await call({})
    expect(error).toMatchObject({ reason: 'backend_unreachable' })
    expect(error).toMatchObject({ causeCode: 'tls_self_signed' })
    expect(error?.message).toContain('SELF_SIGNED')
  })

  it('without TLS has a separate error', async () => {
    server = createHttp()
    await listen()
    const { error } = await call({})
    expect(error).toMatchObject({ reason: 'backend_unreachable', delivered: 'no' })
    expect(error).toMatchObject({ causeCode: 'tls_plain_port' })
  })

  it('with HTTP/1 only has a separate error', async () => {
    server = createHttps(certificate)
    await listen()
    const { error } = await call({ tlsCa: TEST_CERTIFICATE })
    expect(error).toMatchObject({ reason: 'backend_unreachable', delivered: 'no' })
    expect(error?.message).toContain('write the target with https://')
  })
})

describe('a Plugboard on https', () => {
  let plugboard: FakePlugboard
  beforeEach(async () => {
    plugboard = await new FakePlugboard('a', certificate).listen()
  })
  afterEach(() => plugboard.kill())

  const settings = () => ({
    plugboard: `https://localhost:${plugboard.port}`,
    token: 'a.b.c',
    service: 'web',
    target: 1,
    tunnels: 1,
  })

  it('is trusted with its CA', async () => {
    const telephone = await connect({ ...settings(), plugboardCa: TEST_CERTIFICATE })
    expect(telephone.state).toBe('ready')
    await telephone.close()
  })

  it('is not trusted otherwise, and connect reports the remedy', async () => {
    await expect(connect(settings())).rejects.toMatchObject({
      code: 'invalid_request',
      field: 'plugboard',
      message: expect.stringContaining('certificate is self-signed; give its CA with --plugboard-ca'),
    })
  })

  it('is reached through HTTPS_PROXY', async () => {
    const sockets = new Set<Socket>()
    const asked: string[] = []
    const proxy = createHttp()
    proxy.on('connect', (request, client: Socket, head: Buffer) => {
      asked.push(request.url ?? '')
      const upstream = connectTcp(plugboard.port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n')
        upstream.write(head)
        client.pipe(upstream).pipe(client)
      })
      for (const socket of [client, upstream]) {
        sockets.add(socket)
        socket.on('error', () => socket.destroy())
      }
    })
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    const { port } = proxy.address() as AddressInfo
    const HTTPS_PROXY = `http://127.0.0.1:${port}`
    const telephone = await connect({
      ...settings(),
      // Only the proxy can resolve this name.
      plugboard: `https://plugboard.test:${plugboard.port}`,
      plugboardCa: TEST_CERTIFICATE,
      env: { HTTPS_PROXY },
    })
    expect(asked).toEqual([`plugboard.test:${plugboard.port}`])
    await telephone.close()
    for (const socket of sockets) socket.destroy()
    proxy.close()
    await once(proxy, 'close')
  })
})
