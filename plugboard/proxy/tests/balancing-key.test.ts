// The balancing policy `hash` on the public port: requests with one value reach one telephone.

import { afterEach, beforeEach, expect, it } from 'vitest'
import type { FakeTelephone } from '../../../test/support/harness/fake-telephone.ts'
import { harnessRoute, ProxyHarness } from '../../../test/support/harness/proxy-harness.ts'
import { rawExchange } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { hashPassword } from '../../common/passwords/password-hash.ts'
import { resolveRouteOptions } from '../../routes/options/route-options.ts'
import type { KeyPart } from '../../routes/rules/key-part.ts'

useLeakCheck()

let harness: ProxyHarness

beforeEach(async () => {
  harness = await ProxyHarness.start({ trustedProxies: ['127.0.0.1'] })
  for (const name of ['instance-a', 'instance-b', 'instance-c', 'instance-d']) {
    const telephone: FakeTelephone = await harness.telephone(['web'], { instance: name })
    telephone.handler = call => call.respond(200, name)
  }
})
afterEach(() => harness.close())

function route(hashOn: KeyPart, options: object = {}): void {
  const policy = { balancing: 'hash', hashOn } as const
  harness.routes = [harnessRoute({ host: 'test', policy, options: resolveRouteOptions(options) })]
}

/** Returns the telephones that a request with these fields reaches in several attempts. */
async function reached(fields: string): Promise<Set<string>> {
  const names = new Set<string>()
  for (let count = 0; count < 4; count += 1) {
    const { status, body } = await rawExchange(harness.port, `GET / HTTP/1.1\r\nHost: test\r\n${fields}\r\n`)
    expect(status).toBe(200)
    names.add(body.toString())
  }
  return names
}

const VALUES = ['1', '2', '3', '4', '5', '6', '7', '8']
const basic = (name: string) =>
  `Authorization: Basic ${Buffer.from(`user-${name}:password`).toString('base64')}\r\n`

it.each<[string, KeyPart, (value: string) => string]>([
  ['a field', { header: 'X-Tenant' }, value => `x-tenant: ${value}\r\n`],
  ['a cookie', { cookie: 'session' }, value => `Cookie: a=b; session=${value}\r\n`],
  ['the address', 'address', value => `X-Forwarded-For: 192.0.2.${value}\r\n`],
])(
  'requests with one value of %s reach one telephone, and other values reach others',
  async (_, on, send) => {
    route(on)
    const all = new Set<string>()
    for (const value of VALUES) {
      const names = await reached(send(value))
      expect(names.size).toBe(1)
      for (const name of names) all.add(name)
    }
    expect(all.size).toBeGreaterThan(1)
  },
)

it('requests of one verified user reach one telephone', async () => {
  const hash = await hashPassword('password', { ln: 10, r: 8, p: 1 })
  const users = VALUES.map(value => ({ name: `user-${value}`, hash }))
  route('user', { access: { basic: { users } } })
  const all = new Set<string>()
  for (const value of VALUES) {
    const names = await reached(basic(value))
    expect(names.size).toBe(1)
    for (const name of names) all.add(name)
  }
  expect(all.size).toBeGreaterThan(1)
})

it('requests without the value are spread over the telephones', async () => {
  route({ header: 'X-Tenant' })
  expect((await reached('')).size).toBe(4)
})
