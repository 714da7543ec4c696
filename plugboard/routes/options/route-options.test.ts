import { describe, expect, test } from 'vitest'
import { maskedPasswords } from '../../common/passwords/masked-passwords.ts'
import type { RateLimit } from '../rules/limit-rules.ts'
import {
  DEFAULT_ROUTE_OPTIONS,
  type RouteOptionsInput,
  resolveRouteOptions,
  routeOptionsInputSchema,
  storedRouteOptions,
  withoutRequirements,
  withRequirements,
} from './route-options.ts'
import { routeProblems } from './route-problems.ts'
import { withoutPasswords } from './route-secrets.ts'

const HASH = `$scrypt$ln=14,r=8,p=5$${'A'.repeat(22)}$${'A'.repeat(43)}`
const jwt = { issuer: 'https://i.test', audience: 'a', jwksUrl: 'https://i.test/jwks' }
const errorOf = (options: unknown) => routeOptionsInputSchema.safeParse(options).error
/** Returns `place: message` for each problem, one per line, followed by the problems within alternatives. */
function problemsOf(options: unknown): string {
  const lines = errorOf(options)?.issues.map(({ path, message }) => `${path.join('/')}: ${message}`) ?? []
  return [...lines, JSON.stringify(errorOf(options)?.issues)].join('\n')
}

test('stores all writable options unchanged, and reads them back', () => {
  const options = {
    stripMount: true,
    access: {
      allow: ['10.0.0.0/8', '2001:db8::/32'],
      deny: ['10.9.9.9'],
      basic: { realm: 'Staff', users: [{ name: 'ada', hash: HASH }], forwardUser: 'X-User' },
      jwt: {
        ...jwt,
        algorithms: ['ES256'],
        claims: { a: ['b', 1, true] },
        scopes: ['s'],
        forward: { sub: 'X-Sub' },
        header: 'X-Token',
      },
      forwardAuthorization: true,
    },
    cors: {
      origins: ['https://a.test', 'https://*.b.test:8443'],
      methods: ['PUT'],
      credentials: true,
      maxAgeSeconds: 0,
    },
    requestHeaders: { set: { 'X-Real-IP': '{clientAddress}' }, remove: ['Cookie'] },
    responseHeaders: { add: { 'Set-Cookie': ['a=1', 'b=2'] }, set: { 'Report-To': '{"a": {}}' } },
    respond: {
      status: 503,
      contentType: 'text/html',
      body: '<p>',
      headers: { 'X-A': '' },
      retryAfterSeconds: 9,
      except: ['10.0.0.0/8', '::1'],
      from: '2026-12-24T18:00:00Z',
      until: '2026-12-25T08:00:00.5+01:00',
    },
    hsts: { maxAgeSeconds: 31_536_000, includeSubDomains: true, preload: true },
  }
  expect(errorOf(options)).toBeUndefined()
  expect(routeOptionsInputSchema.parse(options)).toEqual(options)
  const resolved = resolveRouteOptions(options)
  expect(resolved.rules?.unusable).toBeUndefined()
  expect(resolveRouteOptions(JSON.parse(JSON.stringify(storedRouteOptions(resolved))))).toEqual(resolved)
  expect(
    errorOf({ redirect: { to: 'https://x.test/a?b', status: 301, keepPath: false }, hsts: false }),
  ).toBeUndefined()
})

test.each([
  [{ access: { alow: ['10.0.0.1'] } }, /alow/],
  [{ access: { allow: ['10.0.0.0/33'] } }, /^access\/allow\/0: .*10\.0\.0\.0\/8/],
  [{ access: { allow: [] } }, /^access\/allow/],
  [{ access: { basic: { users: [] } } }, /^access\/basic\/users/],
  [{ access: { basic: { users: [{ name: 'a:b', password: 'x' }] } } }, /users\/0\/name: has a colon/],
  [
    { access: { basic: { users: [{ name: 'a', hash: '$2y$10$x' }] } } },
    /users\/0\/hash: is a bcrypt hash.*password/,
  ],
  [{ access: { basic: { users: [{ name: 'a' }] } } }, /users\/0: needs either/],
  [{ access: { basic: { users: [{ name: 'a', hash: HASH, password: 'x' }] } } }, /users\/0: needs either/],
  [
    { access: { basic: { users: ['x', 'y'].map(password => ({ name: 'a', password })) } } },
    /has a user twice/,
  ],
  [{ access: { jwt: { ...jwt, algorithms: ['HS256'] } } }, /^access\/jwt\/algorithms\/0/],
  [{ access: { jwt: { ...jwt, algorithms: ['none'] } } }, /^access\/jwt\/algorithms\/0/],
  [
    { access: { jwt: { ...jwt, jwksUrl: 'http://i.test/jwks' } } },
    /^access\/jwt\/jwksUrl: is not an https URL/,
  ],
  [{ access: { jwt: { ...jwt, jwksUrl: 'file:///etc/passwd' } } }, /^access\/jwt\/jwksUrl/],
  [{ access: { jwt: { ...jwt, jwksUrl: 'https://u:p@i.test' } } }, /^access\/jwt\/jwksUrl/],
  [{ access: { jwt: { ...jwt, jwksUrl: 'http://localhost.evil.test' } } }, /^access\/jwt\/jwksUrl/],
  [
    { access: { jwt: { ...jwt, forward: { sub: 'Host' } } } },
    /^access\/jwt\/forward\/sub: is a field with a meaning/,
  ],
  [{ access: { jwt: { ...jwt, forward: { sub: 'X-Forwarded-For' } } } }, /^access\/jwt\/forward\/sub/],
  [{ access: { jwt: { ...jwt, forward: { sub: 'X-A', email: 'x-a' } } } }, /one field for two claims/],
  [{ access: { jwt: { issuer: 'x', jwksUrl: jwt.jwksUrl } } }, /^access\/jwt\/audience/],
  [{ access: { jwt: { ...jwt, claims: { a: 2 ** 53 } } } }, /too large to be compared exactly/],
  [{ access: { jwt: { ...jwt, claims: { '/a~2': 'b' } } } }, /is not a JSON pointer/],
  [
    { access: { basic: { users: [{ name: '\ud800', password: 'x' }] } } },
    /users\/0\/name: .*half of a character/,
  ],
  [{ access: { basic: { users: [{ name: 'a', password: '\udc00' }] } } }, /users\/0\/password: .*half of a/],
  [{ cors: { origins: ['*'], credentials: true } }, /^cors\/origins\/0: cannot be \*/],
  [{ cors: { origins: ['a.test'] } }, /^cors\/origins\/0: is not an origin: write https/],
  [{ cors: { origins: ['https://a.test/'] } }, /^cors\/origins\/0/],
  [{ cors: { origins: ['https://a.test:443'] } }, /^cors\/origins\/0: has the default port/],
  [{ cors: { origins: ['null'] } }, /^cors\/origins\/0: cannot be null/],
  [{ cors: { origins: ['https://*'] } }, /^cors\/origins\/0/],
  [{ requestHeaders: { set: { Host: 'x' } } }, /^requestHeaders\/set\/Host/],
  [{ requestHeaders: { set: { 'Content-Length': '0' } } }, /^requestHeaders\/set\/Content-Length/],
  [{ requestHeaders: { remove: ['transfer-encoding'] } }, /^requestHeaders\/remove\/0/],
  [{ requestHeaders: { add: { Connection: 'X-A' } } }, /^requestHeaders\/add\/Connection/],
  [{ requestHeaders: { set: { 'X-Forwarded-For': '1' } } }, /^requestHeaders\/set\/X-Forwarded-For/],
  [{ requestHeaders: { set: { X_Forwarded_For: '1' } } }, /^requestHeaders\/set\/X_Forwarded_For/],
  [{ responseHeaders: { set: { 'Plugboard-Error': '1' } } }, /^responseHeaders\/set\/Plugboard-Error/],
  [{ responseHeaders: { set: { 'X-Request-ID': '1' } } }, /^responseHeaders\/set\/X-Request-ID/],
  [
    { responseHeaders: { set: { 'X-A': 'a\r\nX-B: b' } } },
    /^responseHeaders\/set\/X-A: is not a field value/,
  ],
  [{ responseHeaders: { set: { 'X-A': ' a' } } }, /^responseHeaders\/set\/X-A/],
  [{ responseHeaders: { set: { 'X-A': '{hots}' } } }, /\{hots\} is not a placeholder.*\{host\}/],
  [{ responseHeaders: { set: { 'X-A': '1', 'x-a': '2' } } }, /^responseHeaders\/set: has a field twice/],
  [{ responseHeaders: { set: { 'X A': '1' } } }, /^responseHeaders\/set\/X A/],
  [{ redirect: { to: '//evil.test' } }, /^redirect\/to: would lead/],
  [{ redirect: { to: '/\\evil.test' } }, /^redirect\/to: would lead/],
  [{ redirect: { to: 'javascript:alert(1)' } }, /^redirect\/to: is not/],
  [{ redirect: { to: 'https://user@x.test' } }, /^redirect\/to/],
  [{ redirect: { to: 'https://x.test/#a' } }, /^redirect\/to: has a fragment/],
  [{ redirect: { to: 'https://x.test/a b' } }, /^redirect\/to: has blanks/],
  [{ redirect: { to: 'https:/x.test' } }, /^redirect\/to/],
  [{ redirect: { to: 'https://x.test', status: 200 } }, /^redirect\/status/],
  [{ respond: { status: 302 } }, /^respond\/status: is a redirect/],
  [{ respond: { status: 100 } }, /^respond\/status/],
  [{ respond: { status: 204, body: 'x' } }, /^respond: .*no body/],
  [{ respond: { body: 'é'.repeat(40_000) } }, /^respond\/body: is longer than 65536/],
  [{ respond: { headers: { 'content-type': 'x' } } }, /^respond\/headers: .*"contentType"/],
  [{ respond: { except: ['inside'] } }, /^respond\/except\/0: is not an address or a network/],
  [{ respond: { from: 'tomorrow' } }, /^respond\/from: is not a time with a zone: write 2026/],
  [{ respond: { until: '2026-12-24T18:00:00' } }, /^respond\/until: is not a time with a zone/],
  [{ respond: { until: '2026-02-30T18:00:00Z' } }, /^respond\/until: is not a time/],
  [
    { respond: { from: '2026-12-24T18:00:00+01:00', until: '2026-12-24T17:00:00Z' } },
    /^respond\/from: is not before "until"/,
  ],
  [{ hsts: { maxAgeSeconds: 5, preload: true } }, /"preload" needs/],
  [{ unknown: 1 }, /unknown/],
])('%j cannot be written', (options, problem) => {
  expect(problemsOf(options)).toMatch(problem)
})

test('closes a route with unreadable rules, and keeps it closed through a snapshot', () => {
  for (const [key, value] of Object.entries({
    access: { allow: ['10.0.0.1'], comingLater: 1 },
    cors: 'everybody',
    requestHeaders: { set: { Host: 'x' } },
    redirect: {},
    respond: { status: 'x' },
    tenantHeader: 'Host',
  })) {
    const resolved = resolveRouteOptions({ stripMount: true, [key]: value, comingLater: 1 })
    expect(resolved).toMatchObject({ stripMount: true, tenantHeader: null })
    expect(resolved.rules?.unusable, key).toEqual([expect.stringContaining(key)])
    const again = resolveRouteOptions(JSON.parse(JSON.stringify(storedRouteOptions(resolved))))
    expect(again.rules?.unusable).toEqual(resolved.rules?.unusable)
  }
})

test('reads an option under the name of an older version, and prefers the current name when both are stored', () => {
  const [page, other] = [{ body: 'Later.' }, { body: 'Never.' }]
  expect(resolveRouteOptions({ answer: page }).rules).toEqual({ respond: page })
  expect(resolveRouteOptions({ answer: other, respond: page }).rules).toEqual({ respond: page })
  expect(resolveRouteOptions({ answer: { status: 'x' } }).rules?.unusable).toEqual([
    expect.stringMatching(/^respond\.status: /),
  ])
})

test('uses the default for an unreadable option that does not protect the route', () => {
  expect(resolveRouteOptions({ stripMount: 'yes', hsts: 5, comingLater: true, access: null })).toEqual(
    DEFAULT_ROUTE_OPTIONS,
  )
  expect(resolveRouteOptions('nonsense')).toEqual(DEFAULT_ROUTE_OPTIONS)
})

test.each([
  [{ service: null, options: {} }, 'service'],
  [{ service: 'a', options: { redirect: { to: '/x' }, respond: {} } }, 'options/respond'],
  [
    { mount: 'app.test', service: null, options: { redirect: { to: 'https://app.test/x' } } },
    'options/redirect/to',
  ],
  [{ mount: 'app.test/a', service: null, options: { redirect: { to: '/a/b' } } }, 'options/redirect/to'],
  [{ mount: 'app.test/a', service: null, options: { redirect: { to: '/b/../a' } } }, 'options/redirect/to'],
  [{ mount: '*', service: null, options: { redirect: { to: '/b' } } }, 'options/redirect/to'],
  [
    {
      service: 'a',
      options: { cors: { origins: ['*'] }, responseHeaders: { set: { 'access-control-max-age': '1' } } },
    },
    'options/responseHeaders/set/access-control-max-age',
  ],
  [
    { service: 'a', options: { tenantHeader: 'X-T', access: { jwt: { ...jwt, forward: { sub: 'x-t' } } } } },
    'options/access/jwt/forward/sub',
  ],
  [{ service: null, options: { respond: { except: ['::1'] } } }, 'service'],
  [{ service: null, options: { respond: { from: '2026-12-24T18:00:00Z' } } }, 'service'],
  [{ service: null, options: { respond: { until: '2026-12-24T18:00:00Z' } } }, 'service'],
])('%j does not go together', (route, place) => {
  expect(routeProblems({ mount: 'a.test', ...route }).map(({ path }) => path.join('/'))).toContain(place)
})

test.each([
  [{ mount: 'app.test/a', service: null, options: { redirect: { to: '/ab' } } }],
  [{ mount: 'app.test', service: null, options: { redirect: { to: 'https://www.app.test' } } }],
  [{ mount: 'app.test', service: null, options: { redirect: { to: 'https://app.test:8443/' } } }],
  [{ mount: '*.test', service: null, options: { redirect: { to: 'https://www.test' } } }],
  [{ mount: 'app.test', service: null, options: { respond: {} } }],
  [{ mount: 'app.test', service: 'a', options: { respond: { except: ['::1'] } } }],
  [{ mount: 'app.test', service: 'a', options: {} }],
])('%j does', route => expect(routeProblems(route)).toEqual([]))

test('a limit of a route counts by an identity only when the route verifies one, and only under its mount', () => {
  const problems = (limit: Partial<RateLimit>, access?: RouteOptionsInput['access']) =>
    routeProblems({
      mount: 'app.test/api',
      service: 'a',
      options: { rateLimits: [{ name: 'a', limit: 1, ...limit }], ...(access && { access }) },
    }).map(({ path }) => path.join('/'))
  const token = {
    jwt: { issuer: 'https://issuer.test', audience: 'app', jwksUrl: 'https://issuer.test/jwks' },
  }
  expect(problems({ key: ['address', { claim: '/sub' }] })).toEqual(['options/rateLimits/0/key/1'])
  expect(problems({ key: ['user'] })).toEqual(['options/rateLimits/0/key/0'])
  expect(problems({ key: ['user', { claim: '/sub' }] }, token)).toEqual([])
  expect(problems({ match: { path: '/apix' } })).toEqual(['options/rateLimits/0/match/path'])
  expect(problems({ match: { path: '/api/x' } })).toEqual([])
})

test('stores a password as a hash, and hides hashes from readers of changes', async () => {
  const options = {
    access: {
      basic: {
        users: [
          { name: 'ada', password: 'secret' },
          { name: 'bob', hash: HASH },
        ],
      },
    },
  }
  const stored = await withoutPasswords(options)
  expect(JSON.stringify(stored)).not.toContain('secret')
  expect(stored).toEqual({
    access: {
      basic: {
        users: [
          { name: 'ada', hash: expect.stringMatching(/^\$scrypt\$/) },
          { name: 'bob', hash: HASH },
        ],
      },
    },
  })
  const users = [
    { name: 'ada', hash: '***' },
    { name: 'bob', hash: '***' },
  ]
  expect(maskedPasswords({ id: '1', options: stored })).toEqual({
    id: '1',
    options: { access: { basic: { users } } },
  })
  expect(maskedPasswords(options)).toMatchObject({
    access: { basic: { users: [{ name: 'ada', password: '***' }, {}] } },
  })
})

test.each(['Content_Length', 'transfer.encoding', 'x_request_id', 'Proxy_Authorization', 'X_Forwarded_For'])(
  'an edit of %s would be one of the field that it may be read as',
  name => {
    for (const edits of [{ remove: [name] }, { set: { [name]: 'x' } }, { add: { [name]: 'x' } }]) {
      expect(routeOptionsInputSchema.safeParse({ requestHeaders: edits }).success).toBe(false)
    }
  },
)

/** Keys that every JavaScript object inherits. JSON.parse creates own properties with these names. */
const BORN = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf']
/** Returns each place with names from users, and each place where an unknown key is an error. */
const withKey = (key: string, value: unknown): readonly (readonly [string, object])[] => {
  const own = JSON.parse(`{${JSON.stringify(key)}: ${JSON.stringify(value)}}`) as object
  return [
    ['access/jwt/claims', { access: { jwt: { ...jwt, claims: own } } }],
    ['access/jwt/forward', { access: { jwt: { ...jwt, forward: own } } }],
    ['requestHeaders/set', { requestHeaders: { set: own } }],
    ['requestHeaders/add', { requestHeaders: { add: own } }],
    ['responseHeaders/set', { responseHeaders: { set: own } }],
    ['respond/headers', { respond: { headers: own } }],
    ['access/jwt', { access: { jwt: { ...own, ...jwt } } }],
  ]
}

test.each(withKey('__proto__', 'X-A'))(
  '__proto__ in %s cannot be written, and closes the route where it is stored',
  (place, options) => {
    expect(problemsOf(options)).toContain(place)
    expect(problemsOf(options)).toContain('__proto__')
    expect(resolveRouteOptions(options).rules?.unusable).toHaveLength(1)
  },
)

test('rejects __proto__ and other inherited keys as unknown options', () => {
  for (const key of BORN) {
    expect(problemsOf(JSON.parse(`{"${key}": {}}`)), key).toContain(key)
    expect(problemsOf({ access: JSON.parse(`{"${key}": {}}`) }), key).toContain(key)
  }
  // Unknown stored keys, as of a newer version, have no effect.
  for (const key of BORN)
    expect(resolveRouteOptions(JSON.parse(`{"${key}": {}}`)), key).toEqual(DEFAULT_ROUTE_OPTIONS)
})

test('accepts other inherited names as ordinary names', () => {
  for (const key of BORN.slice(1)) {
    for (const [place, options] of withKey(key, 'X-A').slice(0, -1)) {
      expect(errorOf(options), `${key} in ${place}`).toBeUndefined()
      expect(JSON.stringify(routeOptionsInputSchema.parse(options)), place).toBe(JSON.stringify(options))
      expect(JSON.stringify(resolveRouteOptions(options).rules), place).toContain(key)
      expect(resolveRouteOptions(options).rules?.unusable, place).toBeUndefined()
    }
  }
})

describe('options of a newer version', () => {
  const fates = {
    geo: { unreadable: 'closes', since: '0.3.0' },
    access: { unreadable: 'closes', since: '0.1.0' },
    sticker: { unreadable: 'default', since: '0.3.0' },
  } as const

  test('are stored with the version that they need when they close the route', () => {
    const stored = withRequirements({ geo: ['NZ'], access: {}, sticker: 1 }, fates)
    expect(stored).toEqual({ geo: ['NZ'], access: {}, sticker: 1, requires: { geo: '0.3.0' } })
    expect(withoutRequirements(stored)).toEqual({ geo: ['NZ'], access: {}, sticker: 1 })
    expect(withRequirements({ sticker: 1, requires: { geo: '0.3.0' } }, fates)).toEqual({ sticker: 1 })
  })

  test('stay with their version when this version changes other options', () => {
    const stored = { geo: ['NZ'], stripMount: true, requires: { geo: '0.3.0', gone: '0.3.0' } }
    expect(withRequirements(stored)).toEqual({ geo: ['NZ'], stripMount: true, requires: { geo: '0.3.0' } })
  })

  test('close the route here, even after a restart from the snapshot', () => {
    const options = resolveRouteOptions({ geo: ['NZ'], requires: { geo: '0.3.0' } })
    expect(options.rules?.unusable).toEqual(['geo: needs Plugboard 0.3.0 or newer'])
    expect(resolveRouteOptions(storedRouteOptions(options)).rules?.unusable).toEqual(options.rules?.unusable)
    expect(resolveRouteOptions({ requires: 7 }).rules?.unusable).toEqual(['requires: is not an object'])
  })

  test('are dropped when they do not close the route', () => {
    expect(resolveRouteOptions({ sticker: 1 })).toEqual(resolveRouteOptions({ stripMount: false }))
    expect(resolveRouteOptions({ access: {}, requires: { access: '0.3.0' } }).rules?.unusable).toBeUndefined()
  })
})
