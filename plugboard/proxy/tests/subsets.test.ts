// Subsets on the public port: which telephones serve the requests of a canary release.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { harnessRoute, ProxyHarness } from '../../../test/support/harness/proxy-harness.ts'
import { type CutTelephone, useProxyClients } from '../../../test/support/harness/use-proxy.ts'
import { field, rawExchange } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { hashPassword } from '../../common/passwords/password-hash.ts'
import { resolveRouteOptions } from '../../routes/options/route-options.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'

useLeakCheck()

const CANARY = { name: 'canary', select: { version: '2.*' } }
const PINNED = { ...CANARY, match: { header: { 'X-Canary': 'yes' } } }

let harness: ProxyHarness
let stable: CutTelephone
let canary: CutTelephone
const clients = useProxyClients(() => harness.port)

async function attach(name: string, version: string, labels = {}): Promise<CutTelephone> {
  const telephone = await harness.telephone(['web'], {
    instance: name,
    line: { telephone: name, version, labels },
  })
  telephone.handler = call => call.respond(200, name)
  return telephone
}

beforeEach(async () => {
  harness = await ProxyHarness.start({ http2Cleartext: true, trustedProxies: ['127.0.0.1'] })
  stable = await attach('stable-1', '1.9')
  await attach('stable-2', '1.9')
  canary = await attach('canary-1', '2.0', { track: 'canary' })
})
afterEach(() => harness.close())

const policy = (more: Partial<ServicePolicy>, options: object = {}) => {
  harness.routes = [
    harnessRoute({
      host: 'test',
      policy: { balancing: 'round_robin', ...more },
      options: resolveRouteOptions(options),
    }),
  ]
}

/** Sends a GET. Returns the body, which is the name of the telephone, and the cookie of the response. */
async function ask(fields = ''): Promise<{ status: number; name: string; cookie: string }> {
  const { status, body, headers } = await rawExchange(
    harness.port,
    `GET / HTTP/1.1\r\nHost: test\r\n${fields}\r\n`,
  )
  return { status, name: body.toString(), cookie: field(headers, 'set-cookie')?.split(';')[0] ?? '' }
}

/** Returns the names of the telephones that responded to several requests, each once. */
async function namesOf(fields = '', count = 6): Promise<string[]> {
  const names = new Set<string>()
  for (let sent = 0; sent < count; sent += 1) names.add((await ask(fields)).name)
  return [...names].sort()
}

const STABLE = ['stable-1', 'stable-2']

describe('a subset of the version 2.*', () => {
  it('serves the requests with its header field, and no others', async () => {
    policy({ subsets: [PINNED] })
    expect(await namesOf('X-Canary: yes\r\n')).toEqual(['canary-1'])
    expect(await namesOf('X-Canary: no\r\n')).toEqual(STABLE)
    expect(await namesOf()).toEqual(STABLE)
  })

  it('serves over HTTP/2 too, and the access line has its name', async () => {
    policy({ subsets: [PINNED] })
    const request = { ':authority': 'test', ':path': '/', ':method': 'GET' }
    const client = clients.http2()
    expect((await client.ask({ ...request, 'x-canary': 'yes' })).body.toString()).toBe('canary-1')
    expect((await client.ask(request)).body.toString()).toMatch(/^stable/)
    expect(harness.accessLog.map(({ subset }) => subset)).toEqual(['canary', undefined])
  })

  it('serves all clients with 100 percent, and a client of its share always', async () => {
    policy({ subsets: [{ ...CANARY, percent: 100 }] })
    expect(await namesOf()).toEqual(['canary-1'])
    policy({ subsets: [{ ...CANARY, percent: 50 }] })
    const sides = new Set<string>()
    for (let host = 1; host <= 12; host += 1) {
      const names = await namesOf(`X-Forwarded-For: 192.0.2.${host}\r\n`, 3)
      sides.add(names.includes('canary-1') ? 'canary' : 'stable')
      expect(names.includes('canary-1') && names.length > 1).toBe(false)
    }
    expect(sides.size).toBe(2)
  })

  it('splits by the verified user', async () => {
    const hash = await hashPassword('password', { ln: 10, r: 8, p: 1 })
    const names = Array.from({ length: 8 }, (_, index) => `user-${index}`)
    const access = { basic: { users: names.map(name => ({ name, hash })) } }
    policy({ subsets: [{ ...CANARY, percent: 50 }], splitBy: 'user' }, { access })
    const sides = new Set<boolean>()
    for (const name of names) {
      const login = Buffer.from(`${name}:password`).toString('base64')
      const reached = await namesOf(`Authorization: Basic ${login}\r\n`, 3)
      expect(reached.includes('canary-1') && reached.length > 1).toBe(false)
      sides.add(reached.includes('canary-1'))
    }
    expect(sides.size).toBe(2)
  })

  it('is empty while its process is disconnected, down or of weight 0: the rest serves', async () => {
    policy({ subsets: [{ ...CANARY, percent: 100 }] })
    for (const change of [{ weight: 0 }, { health: 'down' as const, weight: 100 }]) {
      harness.changeLines('canary-1', change)
      expect(await namesOf()).toEqual(STABLE)
    }
    harness.changeLines('canary-1', { health: 'up' })
    expect(await namesOf()).toEqual(['canary-1'])
    canary.cut()
    expect(await namesOf()).toEqual(STABLE)
    await attach('canary-2', '2.1')
    expect(await namesOf()).toEqual(['canary-2'])
  })

  it('serves the other requests too when the rest has no process', async () => {
    policy({ subsets: [CANARY] })
    for (const name of STABLE) harness.changeLines(name, { health: 'down' })
    expect(await namesOf()).toEqual(['canary-1'])
  })

  it('loses no request when its backend refuses connections', async () => {
    policy({ subsets: [{ ...CANARY, percent: 100 }] })
    canary.handler = call => call.stream.reset('backend_unreachable')
    for (let count = 0; count < 6; count += 1) expect((await ask()).name).toMatch(/^stable/)
    expect(harness.accessLog.map(({ status, subset }) => [status, subset])).toEqual(
      Array.from({ length: 6 }, () => [200, undefined]),
    )
  })

  it('repeats a failed attempt on another process of the subset first', async () => {
    await attach('canary-2', '2.1')
    policy({ subsets: [{ ...CANARY, percent: 100 }] })
    canary.handler = call => call.stream.reset('refused')
    expect(await namesOf()).toEqual(['canary-2'])
  })

  it('follows a changed version and changed labels', async () => {
    policy({ subsets: [{ ...CANARY, percent: 100 }] })
    harness.changeLines('canary-1', { version: '1.9' })
    expect(await namesOf()).toEqual(['canary-1', ...STABLE])
    policy({ subsets: [{ name: 'eu', select: { labels: { region: 'eu' } }, percent: 100 }] })
    harness.changeLines('stable-2', { labels: { region: 'eu' } })
    expect(await namesOf()).toEqual(['stable-2'])
    harness.changeLines('stable-2', { labels: { region: 'us' } })
    expect(await namesOf()).toEqual(['canary-1', ...STABLE])
  })
})

it('a process belongs to the first subset that selects it', async () => {
  policy({
    subsets: [
      { name: 'track', select: { labels: { track: 'canary' } }, match: { header: { 'X-To': 'track' } } },
      { name: 'all', select: { version: '*' }, match: { header: { 'X-To': 'all' } } },
    ],
  })
  expect(await namesOf('X-To: track\r\n')).toEqual(['canary-1'])
  expect(await namesOf('X-To: all\r\n')).toEqual(STABLE)
})

it('a sticky session stays on its side, except for a request with the header field of a subset', async () => {
  const sticky = { cookie: {} }
  policy({ subsets: [PINNED], sticky })
  const { name, cookie } = await ask()
  expect(STABLE).toContain(name)
  policy({ subsets: [{ ...PINNED, percent: 100 }], sticky })
  expect(await namesOf(`Cookie: ${cookie}\r\n`)).toEqual([name])
  expect(await namesOf(`Cookie: ${cookie}\r\nX-Canary: yes\r\n`)).toEqual(['canary-1'])
  const bound = await ask()
  expect(bound.name).toBe('canary-1')
  policy({ subsets: [PINNED], sticky })
  expect(await namesOf(`Cookie: ${bound.cookie}\r\n`)).toEqual(['canary-1'])
  stable.cut()
  expect((await ask(`Cookie: ${cookie}\r\n`)).name).toBe(name === 'stable-1' ? 'stable-2' : name)
})

it('a failing canary with a guard gets no further requests, also of its sticky sessions', async () => {
  policy({
    subsets: [{ ...PINNED, guard: { maxErrorPercent: 5, minRequests: 10 } }],
    sticky: { cookie: {} },
  })
  expect((await namesOf('', 10)).length).toBe(2)
  const bound = await ask('X-Canary: yes\r\n')
  canary.handler = call => call.respond(500, 'broken')
  const statuses: number[] = []
  for (let count = 0; count < 12; count += 1) statuses.push((await ask('X-Canary: yes\r\n')).status)
  expect(statuses).toEqual([...Array.from({ length: 9 }, () => 500), 200, 200, 200])
  const moved = await ask(`Cookie: ${bound.cookie}\r\n`)
  expect([moved.status, STABLE.includes(moved.name)]).toEqual([200, true])
})
