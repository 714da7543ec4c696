// The order of the checks, and the fields of a request that has passed.

import { silentLogger as log } from '@vera-stack/shared/log.ts'
import { beforeAll, expect, test } from 'vitest'
import { AUDIENCE, ISSUER, Issuer } from '../../test/support/credentials/issuer.ts'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { hashPassword } from '../common/passwords/password-hash.ts'
import { OutboundNetworks } from '../routes/options/outbound-networks.ts'
import { type RouteRules, resolveRouteOptions } from '../routes/options/route-options.ts'
import { Gatekeeper, type GuardedRequest } from './gatekeeper.ts'

const ORIGIN = 'https://app.test'
const jwt = { issuer: ISSUER, audience: AUDIENCE, jwksUrl: 'https://issuer.test/jwks' }
const issuer = new Issuer()
const clock = new ManualClock()
const gate = new Gatekeeper({ clock, log, outbound: new OutboundNetworks([]), load: issuer.load })
let users: { name: string; hash: string }[]
let token: string

beforeAll(async () => {
  users = [{ name: 'ada', hash: await hashPassword('lovelace', { ln: 10, r: 8, p: 1 }) }]
  issuer.addKey()
  token = issuer.token({}, { nowMs: clock.wallTime() })
})

function rulesOf(options: object): RouteRules {
  const { rules } = resolveRouteOptions(options)
  if (rules === null) throw new Error('no rules')
  return rules
}

function request(
  rules: RouteRules,
  fields: string[] = [],
  more: Partial<GuardedRequest> = {},
): GuardedRequest {
  const base = { mountPath: '/', method: 'GET', host: 'app.test', path: '/', query: '' }
  return { rules, fields, ...base, clientAddress: '192.0.2.7', requestId: 'r-1', ...more }
}

const basic = (text: string) => ['Authorization', `Basic ${Buffer.from(text).toString('base64')}`]

test('refuses every request when the rules cannot be read', () => {
  const rules = rulesOf({ access: { allow: 'all' } })
  expect(gate.decideByAddress(request(rules))).toEqual({ code: 'route_unusable' })
})

test('addresses', () => {
  const rules = rulesOf({ access: { allow: ['192.0.2.0/24'] } })
  expect(gate.decideByAddress(request(rules))).toBeUndefined()
  expect(gate.decideByAddress(request(rules, [], { clientAddress: '198.51.100.1' }))).toEqual({
    code: 'address_denied',
  })
})

test('responds to a preflight before credentials are checked, but to no other request', async () => {
  const rules = rulesOf({ access: { jwt }, cors: { origins: [ORIGIN] } })
  const preflight = ['Origin', ORIGIN, 'Access-Control-Request-Method', 'PUT']
  expect(gate.decide(request(rules, preflight, { method: 'OPTIONS' }))).toMatchObject({ status: 204 })
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'options']) {
    expect(await gate.decide(request(rules, ['Origin', ORIGIN], { method }))).toMatchObject({
      code: 'unauthorized',
    })
  }
})

test('does not redirect a client without access', async () => {
  const rules = rulesOf({ access: { basic: { users } }, redirect: { to: 'https://secret.test' } })
  const refused = await gate.decide(request(rules))
  expect(refused).toEqual({
    code: 'unauthorized',
    fields: ['WWW-Authenticate', 'Basic realm="Restricted", charset="UTF-8"'],
  })
  const more = { mountPath: '/a', path: '/a/b', query: '?q' }
  expect(await gate.decide(request(rules, basic('ada:lovelace'), more))).toMatchObject({
    status: 307,
    fields: ['Location', 'https://secret.test/b?q'],
  })
})

test('removes the credential, and fields of the client that state an identity', async () => {
  const access = {
    basic: { users, forwardUser: 'X-User' },
    jwt: { ...jwt, forward: { sub: 'X-Sub', gone: 'X-Gone' } },
  }
  const rules = rulesOf({
    access,
    requestHeaders: { set: { 'X-From': '{clientAddress}' }, remove: ['Cookie'] },
  })
  const forged = [
    'x-user',
    'root',
    'X_USER',
    'root',
    'x.sub',
    'root',
    'X-Gone',
    'root',
    'Cookie',
    'a=1',
    'X-A',
    '1',
  ]
  const fields = [...forged, ...basic('ada:lovelace')]
  expect(await gate.decide(request(rules, fields))).toBeUndefined()
  expect(fields).toEqual(['X-A', '1', 'X-User', 'ada', 'X-From', '192.0.2.7'])
  const bearer = ['authorization', `bearer ${token}`, ...forged]
  expect(await gate.decide(request(rules, bearer))).toBeUndefined()
  expect(bearer).toEqual(['X-A', '1', 'X-Sub', 'ada', 'X-From', '192.0.2.7'])
})

test('forwards the credential when the route allows it', async () => {
  const rules = rulesOf({ access: { basic: { users }, forwardAuthorization: true } })
  const fields = basic('ada:lovelace')
  expect(await gate.decide(request(rules, fields))).toBeUndefined()
  expect(fields).toEqual(basic('ada:lovelace'))
})

test('does not forward a token in its own field, and does not read Authorization then', async () => {
  const rules = rulesOf({ access: { jwt: { ...jwt, header: 'X-Token' } } })
  for (const value of [token, `Bearer ${token}`]) {
    const fields = ['x-token', value]
    expect(await gate.decide(request(rules, fields))).toBeUndefined()
    expect(fields).toEqual([])
  }
  expect(await gate.decide(request(rules, ['Authorization', `Bearer ${token}`]))).toMatchObject({
    code: 'unauthorized',
  })
})

test.each([
  ['none', [], { code: 'unauthorized', fields: ['WWW-Authenticate', 'Bearer'] }],
  ['another scheme', ['Authorization', 'Digest x'], { code: 'unauthorized' }],
  ['no scheme', ['Authorization', 'x'], { code: 'unauthorized' }],
  ['an empty one', ['Authorization', 'Bearer '], { code: 'unauthorized' }],
  [
    'a broken one',
    ['Authorization', 'Bearer x'],
    { fields: ['WWW-Authenticate', expect.stringContaining('invalid_token')] },
  ],
  ['two', ['Authorization', 'Bearer x', 'authorization', 'Bearer y'], { code: 'bad_request' }],
  ['Basic on a route without passwords', basic('ada:lovelace'), { code: 'unauthorized' }],
])('a credential that is %s', async (_, fields, verdict) => {
  expect(await gate.decide(request(rulesOf({ access: { jwt } }), [...fields]))).toMatchObject(verdict)
})

test('distinguishes the reasons for which a token is refused', async () => {
  const expired = issuer.token({ exp: 1 })
  const rules = rulesOf({ access: { jwt: { ...jwt, scopes: ['a', 'b'] } } })
  const ask = (each: string) => gate.decide(request(rules, ['Authorization', `Bearer ${each}`]))
  expect(await ask(expired)).toMatchObject({ code: 'token_expired' })
  expect(await ask(token)).toEqual({
    code: 'forbidden',
    fields: ['WWW-Authenticate', 'Bearer error="insufficient_scope", scope="a b"'],
  })
  const away = rulesOf({ access: { jwt: { ...jwt, jwksUrl: 'https://away.test' } } })
  issuer.response = { status: 500 }
  const verdict = await gate.decide(request(away, ['Authorization', `Bearer ${token}`]))
  issuer.response = undefined
  expect(verdict).toEqual({ code: 'issuer_unavailable' })
})

test('sends Retry-After to an address that guesses passwords', async () => {
  const rules = rulesOf({ access: { basic: { users } } })
  const guess = (n: number) =>
    gate.decide(request(rules, basic(`ada:${n}`), { clientAddress: '203.0.113.9' }))
  for (let n = 0; n < 20; n += 1) expect(await guess(n)).toMatchObject({ code: 'unauthorized' })
  expect(await guess(20)).toMatchObject({ code: 'rate_limited', retryAfterSeconds: 3 })
})

test('fixed responses, and the edits of each response of the route', () => {
  const rules = rulesOf({
    respond: { status: 503, body: 'later', retryAfterSeconds: 60 },
    cors: { origins: [ORIGIN], exposed: ['X-A'] },
    responseHeaders: { set: { Server: 'ours' } },
    hsts: { maxAgeSeconds: 60 },
  })
  const asked = request(rules, ['Origin', ORIGIN])
  expect(gate.decide(asked)).toMatchObject({ status: 503, body: Buffer.from('later') })
  const edits = gate.answerEdits(asked)
  expect(edits?.hsts).toBe('max-age=60')
  const fields = ['server', 'theirs']
  edits?.apply(fields, 'backend')
  expect(fields).toEqual([
    'Server',
    'ours',
    'Vary',
    'Origin',
    'Access-Control-Allow-Origin',
    ORIGIN,
    'Access-Control-Expose-Headers',
    'X-A',
  ])
  const problem = ['Plugboard-Error', 'overloaded']
  edits?.apply(problem, 'plugboard')
  expect(problem).toEqual([
    'Plugboard-Error',
    'overloaded',
    'Vary',
    'Origin',
    'Access-Control-Allow-Origin',
    ORIGIN,
    'Access-Control-Expose-Headers',
    'X-A, Plugboard-Error, X-Request-ID, Retry-After, RateLimit, RateLimit-Policy',
  ])
  expect(gate.answerEdits(request(rulesOf({ hsts: false })))?.hsts).toBe('')
  expect(gate.answerEdits(request(rulesOf({ access: { jwt } })))).toBeUndefined()
})

test('a fixed response excepts addresses: their requests go to the service, with their fields edited', async () => {
  const rules = rulesOf({
    access: { basic: { users, forwardUser: 'X-User' } },
    respond: { status: 503, except: ['192.0.2.0/24', '2001:db8::/32'] },
    requestHeaders: { set: { 'X-From': '{clientAddress}' } },
  })
  for (const clientAddress of ['192.0.2.7', '2001:db8::7', '::ffff:192.0.2.9']) {
    const passes = request(rules, basic('ada:lovelace'), { clientAddress })
    expect(await gate.decide(passes), clientAddress).toBeUndefined()
    expect(passes.fields).toEqual(['X-User', 'ada', 'X-From', clientAddress])
    const refused = await gate.decide(request(rules, [], { clientAddress }))
    expect(refused, clientAddress).toMatchObject({ code: 'unauthorized' })
  }
  for (const clientAddress of ['192.0.3.7', '2001:db9::7', 'unknown']) {
    const decision = await gate.decide(request(rules, basic('ada:lovelace'), { clientAddress }))
    expect(decision, clientAddress).toMatchObject({ status: 503 })
  }
})

test('a fixed response applies from its first time until just before its last', () => {
  const at = (offsetMs: number) => new Date(clock.wallTime() + offsetMs).toISOString()
  const both = request(rulesOf({ respond: { status: 503, from: at(1000), until: at(3000) } }))
  const later = request(rulesOf({ respond: { from: at(1000) } }))
  const ending = request(rulesOf({ respond: { until: at(1000) } }))
  const seen = () => [both, later, ending].map(each => gate.decide(each) !== undefined)
  const steps = [0, 999, 1, 1999, 1].map(forwardMs => {
    clock.advance(forwardMs)
    return seen()
  })
  expect(steps).toEqual([
    [false, false, true],
    [false, false, true],
    [true, true, false],
    [true, true, false],
    [false, true, false],
  ])
})

test('keys are fetched only from allowed addresses, and the log names the setting', async () => {
  const inner = new Issuer()
  inner.addKey()
  const jwksUrl = await inner.listen()
  const warned: string[] = []
  const warn = (message: string, fields?: { err?: unknown }) => void warned.push(`${message}: ${fields?.err}`)
  const outcomes: unknown[] = []
  try {
    for (const allowed of [[], ['127.0.0.1']]) {
      const guarded = new Gatekeeper({
        clock,
        log: { ...log, warn },
        outbound: new OutboundNetworks(allowed),
      })
      const fields = ['Authorization', `Bearer ${inner.token({}, { nowMs: clock.wallTime() })}`]
      const rules = rulesOf({ access: { jwt: { ...jwt, jwksUrl } } })
      outcomes.push(await guarded.decide(request(rules, fields)), inner.requests)
    }
  } finally {
    await inner.close()
  }
  expect(outcomes).toEqual([{ code: 'issuer_unavailable' }, 0, undefined, 1])
  expect(warned).toEqual([expect.stringContaining('add its network to the setting outboundNetworks')])
})
