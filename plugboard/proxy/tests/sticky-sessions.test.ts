// Sticky sessions on the public port: by cookie and by header field, in both versions of HTTP and for upgrades.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FakeCall } from '../../../test/support/harness/fake-telephone.ts'
import { harnessRoute, ProxyHarness } from '../../../test/support/harness/proxy-harness.ts'
import { type CutTelephone, useProxyClients } from '../../../test/support/harness/use-proxy.ts'
import { field, rawExchange } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import type { OutlierPolicy } from '../../routes/options/outlier-policy.ts'
import { resolveRouteOptions } from '../../routes/options/route-options.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'

useLeakCheck()

const NAMES = ['telephone-1', 'telephone-2', 'telephone-3'] as const
const OPTIONS = { http2Cleartext: true, trustedProxies: ['127.0.0.1'] }

let harness: ProxyHarness
let telephones: CutTelephone[]
const clients = useProxyClients(() => harness.port)

/** Connects a telephone whose responses contain its name. */
async function attach(to: ProxyHarness, name: string): Promise<CutTelephone> {
  const telephone = await to.telephone(['web'], { instance: name, line: { telephone: name } })
  telephone.handler = call => call.respond(200, name)
  return telephone
}

/** Starts a proxy with the telephones. All proxies have the same service, as the replicas of a cluster. */
async function startProxy(
  policy: Partial<ServicePolicy> = {},
  names: readonly string[] = NAMES,
): Promise<[ProxyHarness, CutTelephone[]]> {
  const started = await ProxyHarness.start(OPTIONS)
  started.routes = [
    harnessRoute({
      host: 'test',
      mountPath: '/shop',
      policy: { balancing: 'round_robin', sticky: { cookie: {} }, ...policy },
    }),
  ]
  const attached: CutTelephone[] = []
  for (const name of names) attached.push(await attach(started, name))
  return [started, attached]
}

beforeEach(async () => {
  const [first, attached] = await startProxy()
  harness = first
  telephones = attached
})
afterEach(() => harness.close())

interface Asked {
  readonly status: number
  /** The name of the telephone that has responded. */
  readonly body: string
  field(name: string): string | undefined
}
type Ask = (fields?: Record<string, string>) => Promise<Asked>
const http1: Ask = async (fields = {}) => {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  const response = await rawExchange(
    harness.port,
    `GET /shop/cart HTTP/1.1\r\nHost: test\r\n${lines.join('')}\r\n`,
  )
  const { status, body } = response
  return { status, body: body.toString(), field: name => field(response.headers, name) }
}
const http2: Ask = async (fields = {}) => {
  const response = await clients
    .http2()
    .ask({ ':authority': 'test', ':path': '/shop/cart', ':method': 'GET', ...fields })
  return { status: response.status, body: response.body.toString(), field: response.field }
}

/** Returns the name and value of the cookie in a response. */
const cookieOf = (response: Asked) => response.field('set-cookie')?.split(';')[0] ?? 'no cookie'
const policy = (more: Partial<ServicePolicy>) => {
  harness.routes = [harnessRoute({ host: 'test', mountPath: '/shop', policy: more })]
}

describe.each([
  ['HTTP/1.1', http1],
  ['HTTP/2', http2],
] as const)('%s', (_, ask) => {
  it('sends the requests of a client to the process of its first response', async () => {
    const first = await ask()
    const cookie = cookieOf(first)
    for (let count = 0; count < 4; count += 1) {
      const next = await ask({ cookie: `theme=dark; ${cookie}; last=1` })
      expect([next.body, next.field('set-cookie')]).toEqual([first.body, undefined])
    }
    const others = [await ask(), await ask()]
    expect(new Set([first, ...others].map(({ body }) => body))).toEqual(new Set(NAMES))
    expect(new Set([first, ...others].map(cookieOf)).size).toBe(3)
  })

  it('binds a client with a header field too', async () => {
    policy({ balancing: 'round_robin', sticky: { header: 'X-Session' } })
    const first = await ask()
    const value = first.field('x-session') ?? ''
    expect([value, first.field('set-cookie')]).toEqual([expect.stringMatching(/^[0-9a-z]{6,11}$/), undefined])
    for (let count = 0; count < 4; count += 1) {
      const next = await ask({ 'X-Session': value })
      expect([next.body, next.field('x-session')]).toEqual([first.body, undefined])
    }
  })
})

it('limits the cookie to the mount, to HTTP and to the same site', async () => {
  const [name, ...attributes] = (await http1()).field('set-cookie')?.split('; ') ?? []
  expect(name).toMatch(/^plugboard-[0-9a-z]{8}=[0-9a-z]{6,11}$/)
  expect(attributes).toEqual(['Path=/shop', 'HttpOnly', 'SameSite=Lax'])
  const secure = await http1({ 'X-Forwarded-Proto': 'https' })
  expect(secure.field('set-cookie')?.split('; ').slice(1)).toEqual([...attributes, 'Secure'])
})

it('uses the name and the lifetime of the policy', async () => {
  policy({ sticky: { cookie: { name: 'sid', ttlSeconds: 3600 } } })
  expect((await http1()).field('set-cookie')).toMatch(
    /^sid=[0-9a-z]+; Path=\/shop; Max-Age=3600; HttpOnly; SameSite=Lax$/,
  )
})

it('adds no field for a service without sticky sessions', async () => {
  policy({ balancing: 'round_robin' })
  const [first, second] = [await http1(), await http1()]
  expect([first.field('set-cookie'), second.body]).toEqual([undefined, 'telephone-2'])
})

it.each(['', 'x', '0', 'zzzzzzzzzzz', '"', '%00'])('ignores the unknown value %j', async value => {
  const name = cookieOf(await http1()).split('=')[0]
  const response = await http1({ Cookie: `${name}=${value}` })
  expect([response.status, cookieOf(response)]).toEqual([200, expect.stringContaining(`${name}=`)])
})

it('keeps the session while the telephone restarts, and on another replica', async () => {
  const first = await http1()
  const bound = { Cookie: cookieOf(first) }
  telephones[NAMES.indexOf(first.body as 'telephone-1')]?.cut()
  await attach(harness, first.body)
  const again = await http1(bound)
  expect([again.body, again.field('set-cookie')]).toEqual([first.body, undefined])
  await harness.close()
  ;[harness, telephones] = await startProxy({}, ['telephone-3', 'telephone-1', 'telephone-2'])
  const elsewhere = await http1(bound)
  expect([elsewhere.body, elsewhere.field('set-cookie')]).toEqual([first.body, undefined])
})

it('moves the session when its process is disconnected', async () => {
  const first = await http1()
  telephones[NAMES.indexOf(first.body as 'telephone-1')]?.cut()
  const moved = await http1({ Cookie: cookieOf(first) })
  expect(moved.body).not.toBe(first.body)
  const next = await http1({ Cookie: cookieOf(moved) })
  expect([next.body, next.field('set-cookie')]).toEqual([moved.body, undefined])
})

it('moves the session when the health check of its process fails', async () => {
  const first = await http1()
  const bound = { Cookie: cookieOf(first) }
  harness.changeLines(first.body, { health: 'down' })
  expect((await http1(bound)).body).not.toBe(first.body)
  harness.changeLines(first.body, { health: 'up' })
  expect((await http1(bound)).body).toBe(first.body)
})

it('moves the session when its process is ejected', async () => {
  const ejecting: Partial<ServicePolicy> & { readonly outlier: OutlierPolicy } = {
    balancing: 'round_robin',
    sticky: { cookie: {} },
    outlier: { consecutive: 3, ejectMs: 60_000, maxEjectMs: 60_000, maxEjectedPercent: 50 },
  }
  policy(ejecting)
  const first = await http1()
  const bound = { Cookie: cookieOf(first) }
  const other = cookieOf(await http1())
  const failing = telephones[NAMES.indexOf(first.body as 'telephone-1')]!
  failing.handler = call => call.respond(503, 'broken')
  const statuses: number[] = []
  for (let count = 0; count < 4; count += 1) {
    statuses.push((await http1(bound)).status)
    // Another client shows that another process works.
    for (let more = 0; more < 2; more += 1) expect((await http1({ Cookie: other })).status).toBe(200)
  }
  expect(statuses).toEqual([503, 503, 503, 200])
})

it('keeps sessions of a process with the weight 0, and binds no new ones to it', async () => {
  const first = await http1()
  harness.changeLines(first.body, { weight: 0 })
  const bound = { Cookie: cookieOf(first) }
  expect((await http1(bound)).body).toBe(first.body)
  const others: string[] = []
  for (let count = 0; count < 6; count += 1) others.push((await http1()).body)
  expect(others).not.toContain(first.body)
  harness.changeLines(first.body, { health: 'down' })
  expect((await http1(bound)).body).not.toBe(first.body)
})

it('binds the client to the process that responds after a retry', async () => {
  const first = await http1()
  const failing = telephones[NAMES.indexOf(first.body as 'telephone-1')]!
  failing.handler = call => call.stream.reset('refused')
  const moved = await http1({ Cookie: cookieOf(first) })
  expect([moved.status, moved.body === first.body]).toEqual([200, false])
  failing.handler = call => call.respond(200, first.body)
  expect((await http1({ Cookie: cookieOf(moved) })).body).toBe(moved.body)
})

describe('an upgrade', () => {
  const switches = (name: string) => (call: FakeCall) => {
    call.stream.respond({ status: 101, statusText: '', fields: ['Upgrade', 'x', 'X-From', name] })
  }
  const open = async (fields: string): Promise<Asked> => {
    const connection = await clients.send(
      `GET /shop HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: x\r\n${fields}\r\n`,
    )
    const { status, headers } = await connection.readHead()
    return { status, body: field(headers, 'x-from') ?? '', field: name => field(headers, name) }
  }

  it('reaches the process of the session, and binds a client without one', async () => {
    telephones.forEach((telephone, index) => {
      telephone.handler = switches(NAMES[index]!)
    })
    const first = await open('')
    expect([first.status, cookieOf(first)]).toEqual([101, expect.stringMatching(/^plugboard-/)])
    for (let count = 0; count < 3; count += 1) {
      const next = await open(`Cookie: ${cookieOf(first)}\r\n`)
      expect([next.status, next.body, next.field('set-cookie')]).toEqual([101, first.body, undefined])
    }
  })
})

it('reads the session and the value to hash before the route removes their fields', async () => {
  const names = ['X-Session', 'X-Key']
  const options = resolveRouteOptions({ requestHeaders: { remove: names } })
  const policy = (rest: object) => ({ host: 'test', mountPath: '/shop', options, policy: rest })
  harness.routes = [harnessRoute(policy({ balancing: 'round_robin', sticky: { header: 'X-Session' } }))]
  const first = await http1()
  const session = first.field('x-session') ?? ''
  for (let again = 0; again < 4; again += 1) {
    const next = await http1({ 'x-session': session })
    expect([next.body, next.field('x-session')]).toEqual([first.body, undefined])
  }
  harness.routes = [harnessRoute(policy({ balancing: 'hash', hashOn: { header: 'X-Key' } }))]
  const { body } = await http1({ 'x-key': 'a' })
  for (let again = 0; again < 4; again += 1) expect((await http1({ 'x-key': 'a' })).body).toBe(body)
})
