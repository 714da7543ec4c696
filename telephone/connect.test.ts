// Tests the rejections of `connect()` with their codes and fields, and the cases in which it waits. A rejection must follow from
// the first attempts, because a caller without a deadline would otherwise wait without end.

import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { useLeakCheck } from '../test/support/leak-check.ts'
import type { TelephoneEvent } from './events.ts'
import { type ConnectOptions, connect, type TelephoneHandle } from './index.ts'
import { FakePlugboard } from './testing/fake-plugboard.ts'
import { TEST_CERTIFICATE, TEST_KEY } from './testing/test-certificate.ts'
import { Caller } from './testing/tunnel-pair.ts'

useLeakCheck()

let plugboard: FakePlugboard
let telephones: TelephoneHandle[]
let servers: (Server | TcpServer)[]
let folder: string

beforeEach(async () => {
  plugboard = await new FakePlugboard('a').listen()
  telephones = []
  servers = []
  folder = mkdtempSync(join(tmpdir(), 'telephone-'))
})
afterEach(async () => {
  vi.restoreAllMocks()
  await Promise.all(telephones.map(telephone => telephone.close(0)))
  for (const server of servers) {
    if ('closeAllConnections' in server) server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  await plugboard.kill()
  rmSync(folder, { recursive: true })
})

const given = (): Record<string, unknown> => ({
  plugboard: plugboard.url,
  token: 'a.b.c',
  service: 'web',
  target: 'http://127.0.0.1:1',
})

/** Calls `connect` with values that the types do not allow, as a caller in JavaScript may do. */
async function connected(options: Record<string, unknown> = {}): Promise<TelephoneHandle> {
  const telephone = await connect({ ...given(), ...options } as unknown as ConnectOptions)
  telephones.push(telephone)
  return telephone
}

async function listen(server: Server | TcpServer): Promise<string> {
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const responding = (status: number, headers: Record<string, string> = {}, body = ''): Promise<string> => {
  const respond: RequestListener = (_request, response) => response.writeHead(status, headers).end(body)
  return listen(createServer(respond))
}

describe('the token of connect()', () => {
  it.each([' a.b.c', 'a.b.c\n', 'a.b.c\r\n', '\uFEFFa.b.c'])('may have blanks around it: %j', async token => {
    await connected({ token })
    expect(plugboard.tunnels[0]?.authorization).toBe('Bearer a.b.c')
  })

  it.each([
    ['is missing', undefined],
    ['is null', null],
    ['is empty', ' \n'],
    ['is a number', 7],
    ['is an object without a file', {}],
    ['has a scheme before it', 'Bearer a.b.c'],
    ['has a line end within', 'a.b\n.c'],
  ])('is rejected when it %s', async (_what, token) => {
    const error = await connected({ token }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ name: 'VeraError', code: 'invalid_request', field: 'token' })
    expect(String(error)).toContain('plugboard token issue')
  })

  it('is rejected when its file is missing, is a folder, or holds no token', async () => {
    const file = join(folder, 'token')
    const rejected = { code: 'invalid_request', field: 'token' }
    await expect(connected({ token: { file } })).rejects.toMatchObject({
      ...rejected,
      message: expect.stringContaining(`The token file ${file} cannot be read (ENOENT).`),
    })
    await expect(connected({ token: { file: folder } })).rejects.toMatchObject({
      ...rejected,
      message: expect.stringContaining('EISDIR'),
    })
    writeFileSync(file, '\n')
    await expect(connected({ token: { file } })).rejects.toMatchObject({
      ...rejected,
      message: expect.stringContaining(`The token file ${file} is empty.`),
    })
    expect(plugboard.dials).toBe(0)
  })

  it.each([
    [401, 'token_expired', 'token_expired'],
    [401, 'token_revoked', 'token_revoked'],
    [401, 'unauthorized', 'unauthorized'],
    [403, 'forbidden', 'forbidden'],
    [401, 'constructor', 'unauthorized'],
    [401, undefined, 'unauthorized'],
  ])('is rejected when Plugboard refuses it with %i and code %s', async (status, code, expected) => {
    plugboard.refusal = { status, body: JSON.stringify({ code, detail: 'Not this one.' }) }
    await expect(connected()).rejects.toMatchObject({
      name: 'VeraError',
      code: expected,
      message: expect.stringContaining(`${plugboard.url} refused the token: Not this one.`),
    })
    expect(plugboard.dials).toBe(1)
  })

  it('is rejected when Plugboard closes the tunnel because of it', async () => {
    plugboard.judge = () => {
      plugboard.tunnels.at(-1)?.session.close('unauthorized', 'the token was revoked')
      return []
    }
    await expect(connected()).rejects.toMatchObject({
      code: 'unauthorized',
      message: expect.stringContaining('the token was revoked'),
    })
  })
})

describe('the address that connect() gets', () => {
  it.each([
    ['is missing', undefined],
    ['is empty', ''],
    ['is an empty list', []],
    ['has another scheme', 'ftp://proxy.example.com'],
    ['has a path', 'https://proxy.example.com/admin'],
    ['is one of a list that cannot be used', ['https://proxy.example.com', 7]],
  ])('is rejected when it %s', async (_what, address) => {
    await expect(connected({ plugboard: address })).rejects.toMatchObject({
      code: 'invalid_request',
      field: 'plugboard',
    })
  })

  it('is rejected when it is an admin port', async () => {
    // The response of the admin API to a path that it does not have.
    const problem = JSON.stringify({ code: 'not_found', status: 404, title: 'There is no such thing.' })
    const url = await responding(404, { 'Content-Type': 'application/problem+json' }, problem)
    await expect(connected({ plugboard: url })).rejects.toMatchObject({
      code: 'invalid_request',
      field: 'plugboard',
      message: expect.stringMatching(/HTTP 404 Not Found; this is not the public port of a Plugboard/),
    })
  })

  it.each([
    ['another web server', 200, {}, /this is not the public port/],
    [
      'a redirect',
      308,
      { Location: 'https://proxy.example.com/x?y' },
      /redirects to https:\/\/proxy\.example\.com: use/,
    ],
    ['a Plugboard that needs another version', 426, {}, /HTTP 426/],
  ])('is rejected when it is %s', async (_what, status, headers, message) => {
    const url = await responding(status, headers as Record<string, string>)
    const rejected = { code: 'invalid_request', field: 'plugboard', message: expect.stringMatching(message) }
    await expect(connected({ plugboard: url })).rejects.toMatchObject(rejected)
  })

  it('is rejected when the server there does not use HTTP', async () => {
    const url = await listen(
      createTcpServer(socket =>
        socket
          .resume()
          .on('error', () => socket.destroy())
          .end('220 smtp\r\n'),
      ),
    )
    await expect(connected({ plugboard: url })).rejects.toMatchObject({ field: 'plugboard' })
  })

  it('is rejected when its certificate is not trusted, or the server there does not use TLS', async () => {
    const secure = await new FakePlugboard('s', { cert: TEST_CERTIFICATE, key: TEST_KEY }).listen()
    await expect(connected({ plugboard: `https://127.0.0.1:${secure.port}` })).rejects.toMatchObject({
      field: 'plugboard',
      message: expect.stringContaining('--plugboard-ca'),
    })
    await secure.kill()
    await expect(connected({ plugboard: `https://127.0.0.1:${plugboard.port}` })).rejects.toMatchObject({
      field: 'plugboard',
      message: expect.stringContaining('http:// instead of https://'),
    })
  })

  it('may be wrong while another address of the list works', async () => {
    const wrong = await responding(404)
    const telephone = await connected({ plugboard: [wrong, plugboard.url] })
    expect(telephone.state).toBe('ready')
  })

  it('is rejected when each address of a list is wrong', async () => {
    const wrong = [await responding(404), await responding(200)]
    await expect(connected({ plugboard: wrong })).rejects.toMatchObject({ field: 'plugboard' })
  })

  it('is dialled again while no server listens there, with one warning', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const { port } = plugboard
    await plugboard.kill()
    const connecting = connected()
    await vi.waitUntil(() => warn.mock.calls.length > 0, { timeout: 5000 })
    plugboard = await new FakePlugboard('a').listen(port)
    await connecting
    expect(warn.mock.calls).toEqual([[expect.stringContaining('the connection was refused')]])
  })

  it('is dialled again while it responds with 503', async () => {
    plugboard.refusal = { status: 503 }
    const events: TelephoneEvent[] = []
    const connecting = connected({ onEvent: (event: TelephoneEvent) => events.push(event) })
    await plugboard.until(p => p.dials > 0)
    plugboard.refusal = undefined
    await connecting
    expect(events.some(({ kind }) => kind === 'dial_failed')).toBe(true)
  })
})

describe('the services that connect() gets', () => {
  it.each([
    ['is missing', undefined, /is missing/],
    ['is null', null, /is missing/],
    ['is empty', '', /is missing/],
    ['is an application with a fetch method', { fetch: () => new Response() }, /target: app\.fetch/],
    ['is a server of node:http', createServer(), /For a server of node:http, give its port/],
    ['is a (req, res) handler', (_req: unknown, _res: unknown) => undefined, /\(req, res\)/],
    ['is a number without a port', -1, /"-1" has no usable port/],
    ['is a boolean', true, /true is not a target/],
    ['is an Express application', (_req: unknown, _res: unknown, _next: unknown) => undefined, /its port/],
  ])('are rejected when a target %s', async (_what, target, message) => {
    const rejected = { code: 'invalid_request', field: 'target', message: expect.stringMatching(message) }
    await expect(connected({ target })).rejects.toMatchObject(rejected)
    await expect(connected({ services: [{ service: 'web', target }] })).rejects.toMatchObject(rejected)
    expect(plugboard.dials).toBe(0)
  })

  it.each([
    ['services', { services: [] }],
    ['services', { services: [null] }],
    ['service', { service: 7 }],
    ['healthIntervalMs', { healthIntervalMs: 0 }],
    ['connectTimeoutMs', { connectTimeoutMs: Number.NaN }],
    ['keepAliveMs', { keepAliveMs: -1 }],
    ['maxConnections', { maxConnections: 0 }],
    ['tunnels', { tunnels: 0 }],
    ['name', { name: '' }],
    ['drainTimeoutMs', { drainTimeoutMs: Number.POSITIVE_INFINITY }],
    ['dialTimeoutMs', { dialTimeoutMs: '5s' }],
    ['maxHeldBytes', { maxHeldBytes: -1 }],
    ['plugboardCa', { plugboardCa: '/etc/ssl/ca.pem' }],
    ['onHandlerError', { onHandlerError: true }],
    ['signal', { signal: {} }],
    ['env', { env: null }],
    ['followReplicas', { followReplicas: 'no' }],
    ['reportExchanges', { reportExchanges: 1 }],
    ['plugboard', { plugboard: Object.create(null) }],
    ['name', { name: Object.create(null) }],
    ['version', { version: 7 }],
    ['version', { version: '7'.repeat(200) }],
    ['labels', { labels: { zone: 1 } }],
    ['labels', { labels: 'zone' }],
    ['labels', { labels: null }],
    ['hostHeader', { hostHeader: 7 }],
    ['healthCheck', { healthCheck: null }],
    ['ephemeral', { ephemeral: 'yes' }],
    ['tlsVerify', { tlsVerify: 0 }],
    ['tlsCa', { tlsCa: '/etc/ssl/ca.pem' }],
    ['weight', { weight: Object.create(null) }],
  ])('are rejected when %s has a value that cannot be used: %j', async (field, options) => {
    await expect(connected(options)).rejects.toMatchObject({ code: 'invalid_request', field })
    expect(plugboard.dials).toBe(0)
  })

  it('are rejected with the code of Plugboard when it refuses each of them', async () => {
    plugboard.judge = announce =>
      announce.services.map(({ service }) => ({
        service,
        accepted: false,
        code: 'mount_conflict',
        detail: 'The mount is taken.',
        urls: [],
      }))
    await expect(connected()).rejects.toMatchObject({
      code: 'mount_conflict',
      message: 'web: The mount is taken.',
    })
  })

  it('are announced again while Plugboard has no database', async () => {
    const results = (accepted: boolean) => [
      { service: 'web', accepted, ...(accepted ? {} : { code: 'database_unavailable' }), urls: [] },
    ]
    plugboard.judge = () => results(false)
    const connecting = connected({ tunnels: 1 })
    await plugboard.until(p => p.live.length === 1)
    const { session, announce } = plugboard.live[0]!
    session.sendControl({ type: 'announced', id: announce!.id, results: results(true) })
    expect((await connecting).services).toMatchObject([{ accepted: true }])
  })
})

describe('a listener that throws', () => {
  it('does not affect the tunnel and other listeners, and its error is uncaught', async () => {
    const errors: unknown[] = []
    const uncaught = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', error => errors.push(error))
    try {
      const failure = new Error('of the listener')
      const telephone = await connected({
        tunnels: 1,
        onEvent: () => {
          throw failure
        },
      })
      expect(telephone.state).toBe('ready')
      await telephone.close(0)
      await new Promise(resolve => setImmediate(resolve))
      expect(new Set(errors)).toEqual(new Set([failure]))
    } finally {
      process.removeAllListeners('uncaughtException')
      for (const listener of uncaught) process.on('uncaughtException', listener)
    }
  })
})

describe('a fetch handler that fails', () => {
  const failure = new Error('no database')
  const failing = (): never => {
    throw failure
  }

  async function call(): Promise<Caller> {
    const caller = new Caller(plugboard.live[0]!.session, { service: 'web', target: '/a?secret=1' })
    return caller.until(c => c.ended).then(() => caller)
  }

  it('is written to console.error with the request', async () => {
    const written = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    await connected({ target: failing })
    expect((await call()).status).toBe(500)
    expect(written.mock.calls).toEqual([
      [expect.stringMatching(/service "web" failed at GET \/a:$/), failure],
    ])
  })

  it('is reported to onHandlerError instead, if it is set', async () => {
    const written = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const failures: unknown[] = []
    await connected({
      target: () => 'no Response',
      onHandlerError: (error: unknown, { service, path }: { service: string; path: string }) =>
        failures.push(String(error), service, path),
    })
    expect((await call()).status).toBe(500)
    expect(failures).toEqual([expect.stringContaining('Response'), 'web', '/a'])
    expect(written).not.toHaveBeenCalled()
  })
})
