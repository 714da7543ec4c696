// Rate limits of routes and services on the public port, in both versions of HTTP.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FakeTelephone } from '../../../test/support/harness/fake-telephone.ts'
import { harnessRoute, ProxyHarness } from '../../../test/support/harness/proxy-harness.ts'
import { Http2Client } from '../../../test/support/http/http2-client.ts'
import { field, rawExchange } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { hashPassword } from '../../common/passwords/password-hash.ts'
import { resolveRouteOptions } from '../../routes/options/route-options.ts'

useLeakCheck()

let harness: ProxyHarness
let telephone: FakeTelephone & { cut(): void }
let client: Http2Client

beforeEach(async () => {
  harness = await ProxyHarness.start({ http2Cleartext: true, trustedProxies: ['127.0.0.1'] })
  telephone = await harness.telephone()
  telephone.handler = call => call.respond(200, 'hello')
  client = new Http2Client(`http://127.0.0.1:${harness.port}`)
})
afterEach(async () => {
  client.close()
  await harness.close()
})

const rule = (options: object, policy: object = {}) => {
  harness.routes = [harnessRoute({ host: 'test', options: resolveRouteOptions(options), policy })]
}

interface Asked {
  readonly status: number
  readonly body: string
  field(name: string): string | undefined
}
type Ask = (path: string, fields?: Record<string, string>) => Promise<Asked>
const http1: Ask = async (path, fields = {}) => {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  const response = await rawExchange(
    harness.port,
    `GET ${path} HTTP/1.1\r\nHost: test\r\n${lines.join('')}\r\n`,
  )
  const { status, body } = response
  return { status, body: body.toString(), field: name => field(response.headers, name) }
}
const http2: Ask = async (path, fields = {}) => {
  const response = await client.ask({ ':authority': 'test', ':path': path, ':method': 'GET', ...fields })
  return { status: response.status, body: response.body.toString(), field: response.field }
}

describe.each([
  ['HTTP/1.1', http1],
  ['HTTP/2', http2],
] as const)('%s', (_, ask) => {
  it('rejects requests above the limit, and every response states the limit', async () => {
    rule({ rateLimits: [{ name: 'login', limit: 2, windowSeconds: 60, match: { path: '/login' } }] })
    const responses = [await ask('/login'), await ask('/%6cogin/x'), await ask('/login'), await ask('/')]
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 429, 200])
    expect(responses.map(each => each.field('ratelimit-policy'))).toEqual([
      '"login";q=2;w=60',
      '"login";q=2;w=60',
      '"login";q=2;w=60',
      undefined,
    ])
    const rejected = responses[2]!
    expect(rejected.field('ratelimit')).toBe('"login";r=0;t=30')
    expect(rejected.field('retry-after')).toBe('30')
    expect(rejected.field('plugboard-error')).toBe('rate_limited')
    expect(JSON.parse(rejected.body)).toMatchObject({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      status: 429,
      code: 'rate_limited',
      'violated-policies': ['login'],
    })
    expect(telephone.calls).toHaveLength(3)
  })

  it('counts the limits of the service too, and those of the route first', async () => {
    const own = { rateLimits: [{ name: 'own', limit: 1, key: [{ header: 'x-key' }], windowSeconds: 60 }] }
    rule(own, { rateLimits: [{ name: 'all', limit: 3, key: [], windowSeconds: 60 }] })
    const statuses: [number, string | undefined][] = []
    for (const key of ['a', 'a', 'b', 'c', 'd', 'a']) {
      const response = await ask('/', { 'x-key': key })
      const violated = response.status === 429 ? JSON.parse(response.body)['violated-policies'][0] : undefined
      statuses.push([response.status, violated])
    }
    expect(statuses).toEqual([
      [200, undefined],
      [429, 'own'],
      [200, undefined],
      [200, undefined],
      [429, 'all'],
      [429, 'own'],
    ])
  })

  it('counts by the verified user, after the password is verified', async () => {
    const hash = (password: string) => hashPassword(password, { ln: 10, r: 8, p: 1 })
    const users = [
      { name: 'ada', hash: await hash('a') },
      { name: 'grace', hash: await hash('g') },
    ]
    const rateLimits = [{ name: 'plan', limit: 1, windowSeconds: 60, key: ['user'], headers: false }]
    rule({ access: { basic: { users } }, rateLimits })
    const as = (credential: string) =>
      ask('/', { authorization: `Basic ${Buffer.from(credential).toString('base64')}` })
    expect((await as('ada:wrong')).status).toBe(401)
    const first = await as('ada:a')
    expect([first.status, first.field('ratelimit')]).toEqual([200, undefined])
    expect([(await as('ada:a')).status, (await as('grace:g')).status]).toEqual([429, 200])
  })

  it('debits the bytes of responses', async () => {
    telephone.handler = call => call.respond(200, 'x'.repeat(1000))
    rule({ rateLimits: [{ name: 'bytes', limit: 1500, windowSeconds: 60, count: 'responseBytes' }] })
    const statuses: number[] = []
    for (let count = 0; count < 3; count += 1) {
      statuses.push((await ask('/')).status)
      // The bytes are debited with the access line, which may come a moment after the client has them.
      await expect.poll(() => harness.accessLog.length).toBe(count + 1)
    }
    expect(statuses).toEqual([200, 200, 429])
  })

  it('refuses a request without the value of the key when the limit requires the value', async () => {
    rule({ rateLimits: [{ name: 'keyed', limit: 9, key: [{ header: 'x-key' }], onMissing: 'refuse' }] })
    expect([(await ask('/')).status, (await ask('/', { 'x-key': '1' })).status]).toEqual([400, 200])
  })

  it('counts without rejecting when the limit does not enforce, although the limit is used up', async () => {
    rule({ rateLimits: [{ name: 'trial', limit: 1, windowSeconds: 60, enforce: false }] })
    for (let count = 0; count < 3; count += 1) expect((await ask('/')).status).toBe(200)
    expect(harness.accessLog.map(({ status }) => status)).toEqual([200, 200, 200])
  })

  it('logs the limit that rejects a request, or that would reject it', async () => {
    const once = { limit: 1, windowSeconds: 60 }
    rule(
      { rateLimits: [{ ...once, name: 'trial', enforce: false }] },
      { rateLimits: [{ ...once, name: 'all', limit: 2 }] },
    )
    const responses = [await ask('/'), await ask('/'), await ask('/')]
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 429])
    expect(harness.accessLog.map(({ limit }) => limit)).toEqual([undefined, 'trial', 'all'])
  })

  it('logs the limit that refuses a request without a value of its key', async () => {
    rule({ rateLimits: [{ name: 'keyed', limit: 9, key: [{ header: 'x-key' }], onMissing: 'refuse' }] })
    expect((await ask('/')).status).toBe(400)
    expect(harness.accessLog.map(({ limit }) => limit)).toEqual(['keyed'])
  })

  it('keeps `maxRequestsPerSecond` as a limit of one replica', async () => {
    rule({}, { maxRequestsPerSecond: 1 })
    const responses = [await ask('/'), await ask('/')]
    expect(responses.map(({ status }) => status)).toEqual([200, 429])
    expect(responses.map(each => each.field('ratelimit'))).toEqual([undefined, undefined])
  })
})
