import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { AUDIENCE, ISSUER, Issuer } from '../../../test/support/credentials/issuer.ts'
import { signJwt } from '../../../test/support/credentials/jwt.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { Jwks } from '../../jwks/jwks.ts'
import { type JwtRules, TOKEN_ALGORITHMS } from '../../routes/rules/access-rules.ts'
import { BearerAuth, type BearerOutcome } from './bearer-auth.ts'
import { CredentialCache } from './credential-cache.ts'

function setUp(rules: Partial<JwtRules> = {}, alg = 'ES256') {
  const issuer = new Issuer()
  issuer.addKey(alg)
  const clock = new ManualClock()
  const failures: unknown[] = []
  const broken: unknown[] = []
  const url = 'https://issuer.test/jwks.json'
  const jwks = new Jwks({ url, clock, load: issuer.load, failed: error => failures.push(error) })
  const cache = new CredentialCache<BearerOutcome>(100)
  const all = { issuer: ISSUER, audience: AUDIENCE, jwksUrl: url, ...rules }
  const auth = new BearerAuth(all, jwks, { clock, cache, broken: error => broken.push(error) })
  const token = (claims?: Record<string, unknown>) => issuer.token(claims, { nowMs: clock.wallTime() })
  return { issuer, clock, failures, broken, auth, token, seconds: () => Math.floor(clock.wallTime() / 1000) }
}

const passed = { fields: [] }

test.each(TOKEN_ALGORITHMS)('%s verifies', async alg => {
  const { auth, token } = setUp({}, alg)
  expect(await auth.check(token())).toEqual(passed)
})

test('a verified token is accepted at once for at most five minutes, and never after it has expired', async () => {
  const { auth, clock, token, seconds } = setUp()
  const [long, short] = [token({ exp: seconds() + 3600 }), token({ exp: seconds() + 60 })]
  await Promise.all([auth.check(long), auth.check(short)])
  expect(auth.check(long)).toEqual(passed)
  clock.advance(89_000)
  expect(auth.check(short)).toEqual(passed)
  clock.advance(2000)
  expect(await auth.check(short)).toBe('expired')
  expect(auth.check(long)).toEqual(passed)
  clock.advance(300_000)
  expect(auth.check(long)).toBeInstanceOf(Promise)
})

test.each([
  ['another issuer', { iss: 'https://other.test/' }, 'invalid'],
  ['another audience', { aud: 'https://other.test' }, 'invalid'],
  ['one of several audiences', { aud: ['x', AUDIENCE] }, passed],
  ['no audience', { aud: undefined }, 'invalid'],
  ['no end', { exp: undefined }, 'invalid'],
  ['an expiry that is not a number', { exp: 'never' }, 'invalid'],
  ['expired', { exp: 1 }, 'expired'],
  ['not yet', { nbf: 4_000_000_000 }, 'invalid'],
] as const)('%s', async (_, claims, outcome) => {
  const { auth, token } = setUp()
  expect(await auth.check(token(claims))).toEqual(outcome)
})

test('clocks may differ by half a minute', async () => {
  const { auth, token, seconds } = setUp()
  expect(await auth.check(token({ exp: seconds() - 25 }))).toEqual(passed)
  expect(await auth.check(token({ exp: seconds() - 35 }))).toBe('expired')
  expect(await auth.check(token({ nbf: seconds() + 25 }))).toEqual(passed)
  expect(await auth.check(token({ nbf: seconds() + 35 }))).toBe('invalid')
})

test('an unlisted algorithm is refused even when its key is published', async () => {
  const { auth, token } = setUp({ algorithms: ['RS256'] })
  expect(await auth.check(token())).toBe('invalid')
})

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

test('unsigned tokens, and tokens signed with a public key as a secret, are refused', async () => {
  const { auth, issuer, token, seconds } = setUp()
  const claims = part({ iss: ISSUER, aud: AUDIENCE, exp: seconds() + 60 })
  const { kid } = issuer.keys[0]!
  for (const alg of ['none', 'None', 'NONE', '']) {
    expect(await auth.check(`${part({ alg, kid })}.${claims}.`)).toBe('invalid')
  }
  for (const secret of [issuer.jwks, JSON.stringify(issuer.keys[0]?.publicJwk)]) {
    const signed = `${part({ alg: 'HS256', kid })}.${claims}`
    const mac = createHmac('sha256', secret).update(signed).digest('base64url')
    expect(await auth.check(`${signed}.${mac}`)).toBe('invalid')
  }
  const [head, body, signature] = token().split('.') as [string, string, string]
  expect(await auth.check(`${head}.${claims}.${signature}`)).toBe('invalid')
  expect(await auth.check(`${head}.${body}.`)).toBe('invalid')
  expect(await auth.check(`${part({ alg: 'ES256', kid, crit: ['x'], x: 1 })}.${body}.${signature}`)).toBe(
    'invalid',
  )
  expect(await auth.check('x'.repeat(20_000))).toBe('invalid')
  expect(await auth.check('a.b.c')).toBe('invalid')
})

test('keys within the token are ignored', async () => {
  const { auth, seconds } = setUp()
  const claims = { iss: ISSUER, aud: AUDIENCE, exp: seconds() + 60 }
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: 'AAAA' }
  const header = { jwk, jku: 'https://evil.test/jwks', x5u: 'https://evil.test/x', kid: 'theirs' }
  expect(await auth.check(signJwt(claims, header))).toBe('invalid')
})

test('required claims and scopes: a good token that lacks them is not enough', async () => {
  const rules = {
    claims: { tenant: 'acme', '/realm/roles': ['admin', 'owner'], verified: true },
    scopes: ['read', 'write'],
  }
  const { auth, token } = setUp(rules)
  const good = { tenant: 'acme', realm: { roles: ['user', 'owner'] }, verified: true, scope: 'write read' }
  const check = async (change: object) => auth.check(token({ ...good, ...change }))
  expect(await check({})).toEqual(passed)
  expect(await check({ scope: undefined, scp: ['read', 'write'] })).toEqual(passed)
  for (const change of [
    { tenant: 'other' },
    { tenant: ['x'] },
    { tenant: undefined },
    { realm: { roles: ['user'] } },
    { realm: 'admin' },
    { verified: 'true' },
    { scope: 'read' },
    { scope: 'read writer' },
    { scope: 7 },
  ]) {
    expect(await check(change), JSON.stringify(change)).toBe('insufficient_scope')
  }
})

test('claims with the names of object members are compared like others, and inherited members are ignored', async () => {
  const names = ['constructor', 'toString', 'hasOwnProperty', 'valueOf', '/a/constructor', '/__proto__/x']
  for (const name of names) {
    const { auth, token } = setUp({ claims: { [name]: 'yes' } })
    expect(await auth.check(token({ a: {} })), name).toBe('insufficient_scope')
    const own = JSON.parse('{"constructor":"yes","toString":"yes","hasOwnProperty":"yes","valueOf":"yes"}')
    const nested = { ...own, a: own, ...JSON.parse('{"__proto__":{"x":"yes"}}') }
    expect(await auth.check(token(nested)), name).toEqual(passed)
  }
})

test('a pointer into an array reaches its elements, not its length', async () => {
  const claims = { roles: ['a', 'b'] }
  for (const [name, outcome] of [
    ['/roles/0', passed],
    ['/roles/length', 'insufficient_scope'],
    ['/roles/00', 'insufficient_scope'],
    ['/roles/-', 'insufficient_scope'],
  ] as const) {
    const { auth, token } = setUp({ claims: { [name]: ['a', 2] } })
    expect(await auth.check(token(claims)), name).toEqual(outcome)
  }
})

test('claims are forwarded as fields, and no claim can add a second field', async () => {
  const forward = { sub: 'X-User', email: 'X-Email', groups: 'X-Groups', '/a/b': 'X-Nested', gone: 'X-Gone' }
  const { auth, token } = setUp({ forward })
  const claims = {
    sub: 'ada\r\nX-Role: admin',
    email: 'zoë@example.test 100%',
    groups: ['a', 'b'],
    a: { b: { c: 1 } },
    __proto__: { gone: 'x' },
  }
  expect(await auth.check(token(claims))).toEqual({
    fields: [
      'X-User',
      'ada%0D%0AX-Role: admin',
      'X-Email',
      'zo%C3%AB@example.test 100%25',
      'X-Groups',
      'a,b',
      'X-Nested',
      '{"c":1}',
    ],
  })
})

test('keys are fetched once for many tokens, again after a rotation, and not for invented kids', async () => {
  const { auth, issuer, clock, token } = setUp()
  const tokens = await Promise.all([1, 2, 3].map(n => token({ n })))
  await Promise.all(tokens.map(each => auth.check(each)))
  expect(issuer.requests).toBe(1)
  const old = token({ n: 4 })
  issuer.addKey('EdDSA')
  issuer.keys.shift()
  const fresh = token()
  expect(await auth.check(fresh)).toBe('invalid')
  clock.advance(30_000)
  for (let n = 0; n < 50; n += 1) {
    expect(await auth.check(signJwt({ n }, { kid: `made-up-${n}` }))).toBe('invalid')
  }
  expect(issuer.requests).toBe(2)
  expect(await auth.check(fresh)).toEqual(passed)
  expect(await auth.check(old)).toBe('invalid')
  expect(issuer.requests).toBe(2)
})

test('keys of an unavailable issuer are used for a day, then tokens get issuer_unavailable', async () => {
  const { auth, issuer, clock, failures, token, seconds } = setUp()
  const exp = () => ({ exp: seconds() + 60, n: clock.now() })
  expect(await auth.check(token(exp()))).toEqual(passed)
  issuer.response = { status: 500 }
  clock.advance(600_000)
  for (let n = 0; n < 5; n += 1) {
    expect(await auth.check(token({ ...exp(), n }))).toEqual(passed)
  }
  expect(issuer.requests).toBe(2)
  clock.advance(86_400_000)
  expect(await auth.check(token(exp()))).toBe('unavailable')
  expect(failures).toHaveLength(1)
  issuer.response = undefined
  expect(await auth.check(token(exp()))).toBe('unavailable')
  clock.advance(3000)
  expect(await auth.check(token(exp()))).toEqual(passed)
})

test.each([
  ['an error', { status: 503 }],
  ['no JSON', { status: 200, body: '<html>' }],
  ['no JWKS', { status: 200, body: '{"keys": 1}' }],
  ['no end', { status: 200, body: ' '.repeat(1024 * 1024 + 1) }],
])('keys that cannot be fetched (%s) do not make a token invalid', async (_, response) => {
  const { auth, issuer, token, failures } = setUp()
  issuer.response = response
  expect(await auth.check(token())).toBe('unavailable')
  expect(await auth.check(token({ n: 1 }))).toBe('unavailable')
  expect(issuer.requests).toBe(1)
  expect(failures).toHaveLength(1)
})

test('an unusable key of the issuer is reported once, and does not make a token invalid', async () => {
  const { auth, issuer, broken, token } = setUp()
  const { kid } = issuer.keys[0]!
  const key = { kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA', kid, alg: 'ES256' }
  issuer.response = { status: 200, body: JSON.stringify({ keys: [key] }) }
  expect(await auth.check(token())).toBe('unavailable')
  expect(await auth.check(token({ n: 1 }))).toBe('unavailable')
  expect(broken).toHaveLength(1)
})
