import { expect, test } from 'vitest'
import { DEFAULT_ROUTE_OPTIONS, resolveRouteOptions, routeOptionsInputSchema } from './route-options.ts'
import { DEFAULT_SERVICE_POLICY, resolveServicePolicy, servicePolicyInputSchema } from './service-policy.ts'

test('has defaults for all keys', () => {
  expect(DEFAULT_SERVICE_POLICY).toEqual({
    balancing: 'peak_ewma',
    hashOn: null,
    slowStartMs: 0,
    outlier: { consecutive: 5, ejectMs: 10_000, maxEjectMs: 300_000, maxEjectedPercent: 50 },
    whenAllDown: 'refuse',
    sticky: null,
    subsets: [],
    splitBy: 'address',
    mirror: null,
    locality: null,
    responseHeadTimeoutMs: 30_000,
    idleTimeoutMs: 300_000,
    upgradeIdleTimeoutMs: 3_600_000,
    maxRequestBodyBytes: null,
    maxStreams: null,
    maxStreamsPerTelephone: null,
    rateLimits: [],
    maxRequestsPerSecond: null,
    retries: 2,
    retryBudgetPercent: 20,
    retryStatuses: [],
    tryTimeoutMs: null,
    queue: null,
    holdMs: 0,
    breaker: null,
    hostHeader: 'preserve',
    aliases: [],
    inspect: null,
  })
  expect(DEFAULT_ROUTE_OPTIONS).toEqual({
    stripMount: false,
    allowHttp: false,
    tenantHeader: null,
    rateLimits: null,
    rules: null,
  })
})

test('keeps a written policy unchanged, without defaults', () => {
  expect(servicePolicyInputSchema.parse({})).toEqual({})
  expect(servicePolicyInputSchema.parse({ retries: 0, hostHeader: { fixed: 'a.test' } })).toEqual({
    retries: 0,
    hostHeader: { fixed: 'a.test' },
  })
  expect(routeOptionsInputSchema.parse({})).toEqual({})
})

test.each([
  [{ unknown: 1 }],
  [{ retries: -1 }],
  [{ retries: 1.5 }],
  [{ retryBudgetPercent: 101 }],
  [{ retryStatuses: [500] }],
  [{ retryStatuses: [502, 502] }],
  [{ tryTimeoutMs: 0 }],
  [{ queue: { max: 0 } }],
  [{ queue: { max: 10_001 } }],
  [{ queue: { timeoutMs: 0 } }],
  [{ queue: { size: 5 } }],
  [{ queue: true }],
  [{ breaker: { errorPercent: 0 } }],
  [{ breaker: { errorPercent: 101 } }],
  [{ breaker: { minRequests: 0 } }],
  [{ breaker: { windowMs: 99 } }],
  [{ breaker: { openMs: 0 } }],
  [{ breaker: { percent: 5 } }],
  [{ holdMs: -1 }],
  [{ holdMs: 30_001 }],
  [{ tryTimeoutMs: 3_600_001 }],
  [{ balancing: 'fastest' }],
  [{ idleTimeoutMs: 0 }],
  [{ maxStreams: 0 }],
  [{ maxStreamsPerTelephone: 0 }],
  [{ maxStreamsPerTelephone: 100_001 }],
  [{ slowStartMs: -1 }],
  [{ slowStartMs: 300_001 }],
  [{ whenAllDown: 'hope' }],
  [{ hashOn: 'path' }],
  [{ hashOn: { header: 'X Y' } }],
  [{ hashOn: {} }],
  [{ outlier: true }],
  [{ outlier: { consecutive: 0 } }],
  [{ outlier: { ejectMs: 99 } }],
  [{ outlier: { maxEjectedPercent: 101 } }],
  [{ outlier: { afterFailures: 3 } }],
  [{ hostHeader: 'elsewhere' }],
  [{ hostHeader: { fixed: '' } }],
  [{ hostHeader: { fixed: 'h\u0100X-Forwarded-For\u01006.6.6.6' } }],
  [{ hostHeader: { fixed: 'h\r\nX: y' } }],
  [{ hostHeader: { fixed: 'h\0X' } }],
  [{ hostHeader: { fixed: 'a b' } }],
  [{ hostHeader: { fixed: 'a@b' } }],
  [{ hostHeader: { fixed: 'http://a' } }],
  [{ hostHeader: { fixed: 'a:' } }],
  [{ hostHeader: { fixed: 'a:65536' } }],
  [{ hostHeader: { fixed: '2001:db8::7' } }],
  [{ hostHeader: { fixed: 'bücher.example' } }],
  [{ hostHeader: { fixed: 'app.internal.é' } }],
  [{ hostHeader: { fixed: 'hĀ' } }],
])('%j cannot be written', policy => {
  expect(servicePolicyInputSchema.safeParse(policy).success).toBe(false)
})

test.each(['app.internal', 'App.Internal.:8080', '_srv.local', '192.0.2.7:80', '[2001:db8::7]:8080'])(
  'the fixed Host %s can be written, and is kept as it was written',
  fixed => {
    const policy = { hostHeader: { fixed } }
    expect(servicePolicyInputSchema.parse(policy)).toEqual(policy)
    expect(resolveServicePolicy(policy)).toEqual({
      policy: { ...DEFAULT_SERVICE_POLICY, ...policy },
      problems: [],
    })
  },
)

test.each([
  'Host',
  'content-length',
  'X-Forwarded-For',
  'Plugboard-Tenant',
  'Cookie',
  'X Tenant',
  'X_Tenant',
  '',
  '1',
])('rejects "%s" as the field of the tenant', tenantHeader => {
  expect(routeOptionsInputSchema.safeParse({ tenantHeader }).success).toBe(false)
})

test('reads the valid values of a policy of another version', () => {
  const { policy, problems } = resolveServicePolicy({ retries: 99, idleTimeoutMs: 5, comingLater: true })
  expect(policy).toEqual({ ...DEFAULT_SERVICE_POLICY, idleTimeoutMs: 5 })
  expect(problems).toEqual([expect.stringMatching(/^retries: /)])
  const hostile = resolveServicePolicy({ hostHeader: { fixed: 'h\u0100X\u01006.6.6.6' } })
  expect(hostile.policy.hostHeader).toBe('preserve')
  expect(hostile.problems).toEqual([expect.stringMatching(/^hostHeader/)])
  expect(resolveServicePolicy('nonsense').policy).toEqual(DEFAULT_SERVICE_POLICY)
  expect(resolveRouteOptions({ stripMount: true, comingLater: 1 })).toEqual({
    stripMount: true,
    allowHttp: false,
    tenantHeader: null,
    rateLimits: null,
    rules: null,
  })
})

test('a problem of a subset names its place', () => {
  const select = { version: '2.*' }
  const problems = (subsets: unknown[]) => {
    const parsed = servicePolicyInputSchema.safeParse({ subsets })
    return parsed.error?.issues.map(({ path, message }) => `${path.join('/')}: ${message}`) ?? []
  }
  expect(problems([{ name: 'a', select, percent: 60 }])).toEqual([])
  expect(
    problems([
      { name: 'a', select, percent: 60 },
      { name: 'a', select, percent: 50 },
    ]),
  ).toEqual([
    'subsets/1/name: is the name of another subset',
    'subsets/1/percent: makes the sum of the percentages 110; the sum is at most 100',
  ])
  expect(problems([{ name: 'a', select: {} }])).toEqual(['subsets/0/select: needs "version" or "labels"'])
  expect(problems([{ name: 'a', select, match: { header: {} } }])).toEqual([
    'subsets/0/match/header: must have 1 to 16 entries',
  ])
  expect(problems([{ name: 'a b', select }])).toHaveLength(1)
  expect(problems(Array.from({ length: 11 }, (_, index) => ({ name: `s${index}`, select })))).toHaveLength(1)
})

test.each([
  [{ cookie: { name: '__Host-sid' } }],
  [{ cookie: { name: 'a b' } }],
  [{ cookie: { ttlSeconds: 0 } }],
  [{ cookie: { ttlSeconds: 34_560_001 } }],
  [{ header: 'Set-Cookie2 ' }],
  [{ header: 'Host' }],
  [{ header: 'X-Forwarded-For' }],
  [{ cookie: {}, header: 'X-Session' }],
  [{}],
  [{ header: 'Set-Cookie' }],
  [{ header: 'RateLimit-Policy' }],
  [{ header: 'content-language' }],
])('sticky sessions by %j cannot be written', sticky => {
  expect(servicePolicyInputSchema.safeParse({ sticky }).success).toBe(false)
})

test('resolves the settings of passive ejection with their defaults, and keeps a written value as it is', () => {
  const resolved = (outlier: unknown) => resolveServicePolicy({ outlier })
  expect(servicePolicyInputSchema.parse({ outlier: { consecutive: 3 } })).toEqual({
    outlier: { consecutive: 3 },
  })
  expect(resolved({ consecutive: 3, newer: true }).policy.outlier).toEqual({
    consecutive: 3,
    ejectMs: 10_000,
    maxEjectMs: 300_000,
    maxEjectedPercent: 50,
  })
  expect(resolved(false)).toEqual({ policy: { ...DEFAULT_SERVICE_POLICY, outlier: false }, problems: [] })
  expect(resolved({ ejectMs: 1 })).toEqual({
    policy: DEFAULT_SERVICE_POLICY,
    problems: ['outlier.ejectMs: must be at least 100'],
  })
})

test.each([
  [{ to: 'canary' }],
  [{ percent: 5 }],
  [{ to: 'a b', percent: 5 }],
  [{ to: 'canary', percent: 101 }],
  [{ to: 'canary', percent: 5, methods: [] }],
  [{ to: 'canary', percent: 5, methods: ['get'] }],
  [{ to: 'canary', percent: 5, maxBodyBytes: 65_537 }],
  [{ to: 'canary', percent: 5, other: 1 }],
])('the mirror %j cannot be written', mirror => {
  expect(servicePolicyInputSchema.safeParse({ mirror }).success).toBe(false)
})

test('keeps a written mirror as it is', () => {
  const mirror = { to: 'canary', percent: 0.5, methods: ['GET', 'POST'], maxBodyBytes: 0 }
  expect(servicePolicyInputSchema.parse({ mirror })).toEqual({ mirror })
  expect(resolveServicePolicy({ mirror: { to: 'canary', percent: 5 } }).policy.mirror).toEqual({
    to: 'canary',
    percent: 5,
  })
})

test.each([
  ['hashOn', 'path', 'is not a value of a request: write "address"'],
  ['splitBy', {}, 'is not a value of a request: write "request", "address"'],
  ['sticky', { cookie: {}, header: 'X-A' }, 'has neither a cookie nor a header alone'],
  ['retryStatuses', [500], 'is not 502, 503 or 504'],
])('a wrong form of %s is explained', (key, value, message) => {
  const messages = servicePolicyInputSchema
    .safeParse({ [key]: value })
    .error?.issues.map(each => each.message)
  expect(messages).toEqual([expect.stringContaining(message)])
})
