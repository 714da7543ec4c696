// The access line of each kind of request, in both versions of HTTP: proxied requests, responses of Plugboard itself, and refusals.

import { systemClock } from '@vera-stack/shared/clock.ts'
import { beforeEach, describe, expect, it } from 'vitest'
import { harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import { useProxy } from '../../../test/support/harness/use-proxy.ts'
import type { Http2Client } from '../../../test/support/http/http2-client.ts'
import { rawExchange } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import { hashPassword } from '../../common/passwords/password-hash.ts'
import { resolveRouteOptions } from '../../routes/options/route-options.ts'

useLeakCheck()

/** Each reading of this clock is 1 s later than the one before. */
let seconds = 0
function now(): number {
  seconds += 1
  return systemClock.now() + seconds * 1000
}

const proxy = useProxy({
  clock: { ...systemClock, now },
  http2Cleartext: true,
  reportsUserAgent: true,
  replicaId: asReplicaId('other'),
  limits: { keepAliveTimeoutMs: 1e9, headTimeoutMs: 1e9, bodyIdleTimeoutMs: 1e9 },
})
let client: Http2Client

beforeEach(() => {
  proxy.telephone.handler = call => call.respond(200, 'hello')
  client = proxy.http2()
})

const lines = () => proxy.harness.accessLog

type Ask = (fields: Record<string, string>, path?: string) => Promise<number>
const http1: Ask = async (fields, path = '/a') => {
  const given = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  const text = `GET ${path} HTTP/1.1\r\nHost: test\r\n${given.join('')}\r\n`
  return (await rawExchange(proxy.harness.port, text, 'GET')).status
}
const http2: Ask = async (fields, path = '/a') =>
  (await client.ask({ ':authority': 'test', ':path': path, ':method': 'GET', ...fields })).status

const policy = { idleTimeoutMs: 1e9, responseHeadTimeoutMs: 1e9 }

describe.each([
  ['http/1.1', http1],
  ['h2', http2],
] as const)('%s', (protocol, ask) => {
  const route = { route: 'route-web', mount: 'test', service: 'web' }

  it('has the protocol, the trace, the user agent, and the replica of the tunnel', async () => {
    proxy.harness.routes = [harnessRoute({ host: 'test', policy })]
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    expect(await ask({ traceparent, 'user-agent': 'test/1' }, '/a?token=hunter2')).toBe(200)
    expect(lines()).toMatchObject([
      {
        ...route,
        protocol,
        path: '/a',
        traceId: '0af7651916cd43dd8448eb211c80319c',
        userAgent: 'test/1',
        peer: 'r1',
      },
    ])
    const [line] = lines()
    expect([line?.retries, line?.code]).toEqual([undefined, undefined])
    expect(line?.headMs).toBeGreaterThan(0)
    expect(JSON.stringify(line)).not.toContain('hunter2')
  })

  it('ends at the time of the head when the whole response arrives in one turn, and later otherwise', async () => {
    proxy.harness.routes = [harnessRoute({ host: 'test', policy })]
    expect(await ask({})).toBe(200)
    proxy.telephone.handler = ({ stream }) => {
      stream.respond({ status: 200, statusText: '', fields: [] })
      setImmediate(() => stream.end())
    }
    expect(await ask({})).toBe(200)
    const [whole, parts] = lines()
    expect(whole?.durationMs).toBe(whole?.headMs)
    expect(parts?.durationMs).toBeGreaterThanOrEqual((parts?.headMs ?? 0) + 1000)
  })

  it('has the service and the duration of a request that a log-in refuses', async () => {
    const users = [{ name: 'ada', hash: await hashPassword('lovelace', { ln: 10, r: 8, p: 1 }) }]
    const options = resolveRouteOptions({ access: { basic: { users } } })
    proxy.harness.routes = [harnessRoute({ host: 'test', options, policy })]
    const authorization = `Basic ${Buffer.from('ada:wrong').toString('base64')}`
    expect(await ask({ authorization })).toBe(401)
    expect(lines()).toMatchObject([{ ...route, status: 401, code: 'unauthorized', protocol }])
    expect(lines()[0]?.durationMs).toBeGreaterThanOrEqual(1000)
  })

  it('has the service and the duration of a response of the route itself', async () => {
    const options = resolveRouteOptions({ respond: { status: 410, body: 'removed' } })
    proxy.harness.routes = [harnessRoute({ host: 'test', options, policy })]
    expect(await ask({ 'user-agent': 'test/1' })).toBe(410)
    expect(lines()).toMatchObject([{ ...route, status: 410, protocol, userAgent: 'test/1' }])
    expect(lines()[0]?.durationMs).toBeGreaterThanOrEqual(1000)
    expect(lines()[0]?.code).toBeUndefined()
  })

  it('has the protocol of a request without a route', async () => {
    proxy.harness.routes = []
    expect(await ask({})).toBe(404)
    expect(lines()).toMatchObject([
      { status: 404, code: 'route_not_found', protocol, host: 'test', path: '/a' },
    ])
    expect(lines()[0]?.service).toBeUndefined()
  })
})
