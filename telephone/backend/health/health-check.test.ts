import { mkdtemp, rm } from 'node:fs/promises'
import { createServer as createHttpServer, type Server } from 'node:http'
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@vera-stack/shared/clock.ts'
import { parseTarget } from '@vera-stack/shared/net/backend-target.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GrpcBackend } from '../../../test/support/backend/grpc-backend.ts'
import { eventually, within } from '../../../test/support/deadline.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { ScriptedBackend } from '../../testing/scripted-backend.ts'
import { HealthCheck } from './health-check.ts'

useLeakCheck()

/** Resolves with the problem that one check finds. */
function checkOnce(target: string, check: string): Promise<string | undefined> {
  return new Promise(resolve => {
    const health = new HealthCheck({
      target: parseTarget(target),
      check,
      intervalMs: 60_000,
      clock: systemClock,
      onResult(failure) {
        health.stop()
        resolve(failure?.detail)
      },
      onChange: () => undefined,
    })
    health.start()
  })
}

describe('an HTTP/2 backend', () => {
  let server: Http2Server
  let asked: [string | undefined, string | undefined][]
  beforeEach(async () => {
    asked = []
    server = createServer()
    server.on('stream', (stream: ServerHttp2Stream, headers) => {
      asked.push([headers[':path'], headers[':authority']])
      stream.respond({ ':status': headers[':path'] === '/ok' ? 204 : 500 }, { endStream: true })
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  })
  afterEach(() => new Promise(resolve => server.close(resolve)))
  const target = () => `h2c://127.0.0.1:${(server.address() as AddressInfo).port}`

  it('is up when it sends SETTINGS, or responds to GET', async () => {
    expect(await checkOnce(target(), 'tcp')).toBeUndefined()
    expect(await checkOnce(target(), '/ok')).toBeUndefined()
    expect(asked).toEqual([['/ok', target().slice('h2c://'.length)]])
  })

  it('is down when its response has an error status', async () => {
    expect(await checkOnce(target(), '/bad')).toBe('/bad returned 500')
  })

  it('is down when it does not run, or uses another protocol', async () => {
    const other = await new ScriptedBackend().listen()
    const port = other.port
    const problem = checkOnce(`h2c://127.0.0.1:${port}`, 'tcp')
    const connection = await other.connection()
    await connection.request()
    connection.say('HTTP/1.1 400 Bad Request\r\n\r\n')
    expect(await problem).toContain('did not respond with HTTP/2')
    await other.close()
    expect(await checkOnce(`h2c://127.0.0.1:${port}`, 'tcp')).toMatch(
      /refused the connection \(ECONNREFUSED\)\.$/,
    )
  })
})

describe('a gRPC backend', () => {
  let backend: GrpcBackend
  beforeEach(() => {
    backend = new GrpcBackend()
    backend.health.set('shop.Cart', 1).set('shop.Stock', 2)
  })
  afterEach(() => backend.stop())

  it.each<[string, string | undefined]>([
    ['grpc', undefined],
    ['grpc:shop.Cart', undefined],
    ['grpc:shop.Stock', 'gRPC health: NOT_SERVING'],
    ['grpc:shop.Nobody', 'gRPC health: the server has no such service'],
    ['tcp', undefined],
  ])('has with the check %s the right result', async (check, problem) => {
    expect(await checkOnce(`h2c://127.0.0.1:${await backend.start()}`, check)).toBe(problem)
  })

  it('can be checked on a unix socket', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vera-test-'))
    const path = join(folder, 'grpc.sock')
    await backend.start(`unix:${path}`)
    expect(await checkOnce(`unix+h2c:${path}`, 'grpc')).toBeUndefined()
    backend.stop()
    await rm(folder, { recursive: true })
  })
})

it('reads the responses of an inexact backend as its service does', async () => {
  const backend = await new ScriptedBackend().listen()
  for (const [index, backendParsing] of (['strict', 'lenient'] as const).entries()) {
    const result = new Promise<string | undefined>(resolve => {
      const target = parseTarget(`127.0.0.1:${backend.port}`)
      const health = new HealthCheck({
        target,
        check: '/',
        intervalMs: 60_000,
        clock: systemClock,
        backendParsing,
        onResult(failure) {
          health.stop()
          resolve(failure?.detail)
        },
        onChange: () => undefined,
      })
      health.start()
    })
    const connection = await backend.connection(index)
    await connection.request()
    connection.say('HTTP/1.1 200 OK\nContent-Length: 0\n\n')
    if (backendParsing === 'lenient') expect(await result).toBeUndefined()
    else expect(await result).toMatch(/bare LF/)
  }
  await backend.close()
})

describe('a probe', () => {
  let status: number
  let checks: number
  let hold: Promise<void> | undefined
  let server: Server
  let clock: ManualClock
  let health: HealthCheck
  let changes: string[]
  let results: (string | undefined)[]

  beforeEach(async () => {
    status = 204
    checks = 0
    hold = undefined
    changes = []
    results = []
    clock = new ManualClock()
    server = createHttpServer(async (_request, response) => {
      checks += 1
      await hold
      response.writeHead(status).end()
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    health = new HealthCheck({
      target: parseTarget(`127.0.0.1:${(server.address() as AddressInfo).port}`),
      check: '/healthz',
      intervalMs: 10_000,
      clock,
      onResult: failure => void results.push(failure?.detail),
      onChange: changed => void changes.push(changed),
    })
    health.start()
    await eventually('the first check', () => results.length === 1 || undefined, 5000)
    clock.advance(1000)
  })
  afterEach(async () => {
    health.stop()
    expect(clock.pendingTimers).toBe(0)
    await new Promise(resolve => server.close(resolve))
  })

  const probe = (): Promise<string> =>
    within(new Promise<string>(resolve => health.probe(resolve)), 5000, 'the result of the probe')

  it('runs a check before its interval, and the next interval starts then', async () => {
    expect(await probe()).toBe('up')
    expect([checks, changes]).toEqual([2, []])
    clock.advance(9999)
    expect(checks).toBe(2)
    clock.advance(1)
    await eventually('the check at the interval', () => checks === 3 || undefined, 5000)
  })

  it('makes one failed check an outage, and reports the change before its result', async () => {
    status = 503
    const seen = new Promise<string[]>(resolve => health.probe(result => resolve([...changes, result])))
    expect(await within(seen, 5000, 'the result of the probe')).toEqual(['down', 'down'])
    status = 204
    expect(await probe()).toBe('up')
    expect(changes).toEqual(['down', 'up'])
  })

  it('shares a running check', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    hold = promise
    const both = Promise.all([probe(), probe()])
    await eventually('the check', () => checks === 2 || undefined, 5000)
    resolve()
    expect(await both).toEqual(['up', 'up'])
    expect(checks).toBe(2)
  })

  it('gets no result after the health check has stopped', () => {
    health.stop()
    health.probe(() => expect.fail('a stopped health check has no result'))
    expect(checks).toBe(1)
  })
})
