import { describe, expect, test } from 'vitest'
import type { KeyPart } from '../routes/rules/key-part.ts'
import type { RateLimit } from '../routes/rules/limit-rules.ts'
import { compileLimits } from './compiled-limits.ts'
import { addLimitFields, rejectionFields } from './limit-fields.ts'
import { LimitTable } from './limit-table.ts'
import { type LimitDecision, type LimitedRequest, Limiter } from './limiter.ts'

const REQUEST: LimitedRequest = {
  clientAddress: '192.0.2.1',
  host: 'acme.example.com',
  hostPattern: '*.example.com',
  path: '/api/orders',
  method: 'GET',
  fields: ['Accept', '*/*', 'X-API-Key', 'k1', 'Cookie', 'session=s1'],
  identity: undefined,
}

function setUp(rules: readonly Partial<RateLimit>[], maxKeys?: number) {
  const limiter = new Limiter({ table: new LimitTable(maxKeys) })
  const named = rules.map((rule, index) => ({ name: `limit-${index}`, limit: 2, windowSeconds: 10, ...rule }))
  const compiled = compileLimits(named, 'row-1')
  const limits = [...compiled.beforeCredential, ...compiled.afterCredential]
  const check = (change: Partial<LimitedRequest> = {}, nowMs = 0): LimitDecision =>
    limiter.check(limits, { ...REQUEST, ...change }, nowMs)
  const passes = (change: Partial<LimitedRequest> = {}, nowMs = 0) => check(change, nowMs).kind === 'admitted'
  return { limiter, limits, check, passes }
}

const identity = { user: 'ada', claim: (pointer: string) => (pointer === '/sub' ? 'ada' : undefined) }

test.each<[KeyPart, Partial<LimitedRequest>]>([
  ['address', { clientAddress: '192.0.2.2' }],
  ['host', { host: 'other.example.com' }],
  ['tenant', { host: 'other.example.com' }],
  ['method', { method: 'POST' }],
  ['user', { identity: { ...identity, user: 'grace' } }],
  [{ header: 'X-Api-Key' }, { fields: ['x-api-key', 'k2'] }],
  [{ cookie: 'session' }, { fields: ['cookie', 'a=b; session=s2'] }],
  [{ claim: '/sub' }, { identity: { ...identity, claim: () => 'grace' } }],
])('the key part %j has a count for each of its values', (part, other) => {
  const { passes } = setUp([{ key: [part] }])
  const one = { identity }
  expect([passes(one), passes(one), passes(one)]).toEqual([true, true, false])
  // Another value of the part has its own count. Every other change keeps the count.
  expect([passes({ ...one, ...other }), passes({ ...one, path: '/x' })]).toEqual([true, false])
})

test('an empty key counts all clients together, and several parts count their combinations', () => {
  const all = setUp([{ key: [] }])
  expect([all.passes(), all.passes({ clientAddress: '2001:db8::1' }), all.passes({ host: 'x' })]).toEqual([
    true,
    true,
    false,
  ])
  const both = setUp([{ limit: 1, key: ['address', 'method'] }])
  expect([both.passes(), both.passes({ method: 'POST' }), both.passes()]).toEqual([true, true, false])
  // The parts cannot be shifted into each other.
  const shifted = setUp([{ limit: 1, key: [{ header: 'a' }, { header: 'b' }] }])
  expect(shifted.passes({ fields: ['a', '1:x', 'b', 'y'] })).toBe(true)
  expect(shifted.passes({ fields: ['a', '1', 'b', 'x1:y'] })).toBe(true)
})

test('addresses of one IPv6 network of 64 bits have one count', () => {
  const { passes } = setUp([{}])
  const from = (clientAddress: string) => passes({ clientAddress })
  expect([from('2001:db8::1'), from('2001:db8::2'), from('2001:db8::3'), from('2001:db8:0:1::1')]).toEqual([
    true,
    true,
    false,
    true,
  ])
})

describe('a request that lacks a part of the key', () => {
  const without = { fields: [] }

  test('counts by its address by default, apart from the values that other clients send', () => {
    const { passes } = setUp([{ key: [{ header: 'x-api-key' }] }])
    expect([passes(without), passes(without), passes(without)]).toEqual([true, true, false])
    expect(passes({ fields: ['x-api-key', '192.0.2.1'] })).toBe(true)
    expect(passes({ ...without, clientAddress: '192.0.2.9' })).toBe(true)
  })

  test('does not count with `skip`, and is refused with `refuse`', () => {
    const skip = setUp([{ key: [{ cookie: 'none' }], onMissing: 'skip' }])
    expect(Array.from({ length: 5 }, () => skip.passes())).toEqual(Array(5).fill(true))
    expect(skip.limiter.table.size).toBe(0)
    const refuse = setUp([{ key: ['user'], onMissing: 'refuse' }])
    expect(refuse.check().kind).toBe('missing')
    expect(refuse.check({ identity }).kind).toBe('admitted')
  })
})

test('`match` selects paths at segment ends, and methods', () => {
  const { passes } = setUp([{ limit: 1, match: { path: '/api', methods: ['GET', 'POST'] } }])
  expect(passes({ path: '/api' })).toBe(true)
  expect(passes({ path: '/api/orders', method: 'POST' })).toBe(false)
  expect(passes({ path: '/apix' })).toBe(true)
  expect(passes({ path: '/api', method: 'PUT' })).toBe(true)
})

test.each([
  '//api',
  '/api;x',
  '/api;x=1/orders',
  '/api%2Forders',
  '/api%2f',
  '/;/api',
  '//%2F/api//',
  '/x/..;/api',
  '/x/.;a/../api',
  '/x%2F..%2Fapi',
  '/x%5c..%5Capi',
  '/api;a%2F../x',
  '/x;a%2F..%2Fapi',
  '/..;/..;/api',
])('`match` of /api selects %s, because many backends read it as a path under /api', path => {
  const { passes } = setUp([{ limit: 1, match: { path: '/api' } }])
  expect([passes({ path }), passes({ path: '/api' })]).toEqual([true, false])
})

test.each(['/apix;/api2', '/x;/api', '/x/..;/apix', '/api%2F..%2Fx', '/%2e;'])(
  '`match` of /api does not select %s',
  path => {
    const { passes } = setUp([{ limit: 1, match: { path: '/api' } }])
    expect([passes({ path }), passes({ path })]).toEqual([true, true])
  },
)

test('a request that one limit rejects counts for no other limit', () => {
  const { limiter, limits, check } = setUp([{ limit: 5, key: [] }, { limit: 1 }])
  expect(check().kind).toBe('admitted')
  for (let again = 0; again < 10; again += 1) {
    expect(check()).toMatchObject({ kind: 'rejected', limit: { name: 'limit-1' }, retryAfterSeconds: 10 })
  }
  expect(limits.map(({ decisions }) => decisions)).toEqual([
    { admitted: 1, rejected: 0, wouldReject: 0 },
    { admitted: 1, rejected: 10, wouldReject: 0 },
  ])
  expect(limiter.rejected).toBe(10)
})

test('after `Retry-After` the next request passes, and one second before it does not', () => {
  const { check, passes } = setUp([{ limit: 3, windowSeconds: 100, burst: 1 }])
  expect(passes({}, 500)).toBe(true)
  const rejected = check({}, 700)
  expect(rejected).toMatchObject({ kind: 'rejected', retryAfterSeconds: 34 })
  expect([passes({}, 700 + 33_000), passes({}, 700 + 34_000)]).toEqual([false, true])
})

test('`Retry-After` is the longest wait of all limits that reject the request', () => {
  const { check, passes } = setUp([
    { limit: 1, windowSeconds: 1 },
    { limit: 1, windowSeconds: 60 },
    { limit: 1 },
  ])
  expect(passes()).toBe(true)
  expect(check()).toMatchObject({ kind: 'rejected', limit: { name: 'limit-1' }, retryAfterSeconds: 60 })
  expect([passes({}, 59_000), passes({}, 60_000)]).toEqual([false, true])
})

test('a limit with another count, window or burst starts its counts at 0, and other changes keep them', () => {
  const limiter = new Limiter()
  const passes = (rule: Partial<RateLimit>, nowMs: number) => {
    const { beforeCredential } = compileLimits([{ name: 'plan', limit: 2, ...rule }], 'row-1')
    return limiter.check(beforeCredential, REQUEST, nowMs).kind === 'admitted'
  }
  const day = { windowSeconds: 86_400 }
  expect([passes(day, 0), passes(day, 0), passes(day, 0)]).toEqual([true, true, false])
  expect([passes({}, 1), passes({}, 1), passes({}, 1)]).toEqual([true, true, false])
  expect(passes({ ...day, burst: 1 }, 2)).toBe(true)
  // The whole quota of a day was used above. The raised limit admits its own quota at once, and no more than that.
  const more = { ...day, limit: 4 }
  expect(Array.from({ length: 5 }, () => passes(more, 2))).toEqual([true, true, true, true, false])
  const unrelated = { ...day, match: { methods: ['GET'] }, headers: false, enforce: true, burst: 2 }
  expect(passes(unrelated, 2)).toBe(false)
})

test('`enforce: false` rejects no request that lacks a value of the key', () => {
  const { limits, passes } = setUp([{ enforce: false, key: [{ header: 'absent' }], onMissing: 'refuse' }])
  expect(passes()).toBe(true)
  expect(limits[0]!.decisions).toEqual({ admitted: 0, rejected: 0, wouldReject: 1 })
})

test('`enforce: false` counts the requests that the limit would reject, and admits them', () => {
  const { limits, passes, limiter } = setUp([{ enforce: false }])
  expect(Array.from({ length: 5 }, () => passes())).toEqual(Array(5).fill(true))
  const decisions = { admitted: 2, rejected: 0, wouldReject: 3 }
  expect([limits[0]!.decisions, limiter.rejected]).toEqual([decisions, 0])
})

test('an admitted request has the first limit with `enforce: false` that would reject it', () => {
  const { check } = setUp([{ limit: 9 }, { limit: 1, enforce: false }, { limit: 1, enforce: false }])
  expect(check()).toMatchObject({ kind: 'admitted', exceeded: undefined })
  expect(check()).toMatchObject({ kind: 'admitted', exceeded: { name: 'limit-1' } })
})

test('a request without a value that the limit needs counts as rejected', () => {
  const { limiter, limits, check } = setUp([{ key: ['user'], onMissing: 'refuse' }])
  expect(check().kind).toBe('missing')
  expect([limits[0]!.decisions.rejected, limiter.rejected]).toEqual([1, 1])
})

test('bytes of responses are debited at the end of the response, and the next request waits for their time', () => {
  const { limiter, check, passes } = setUp([{ count: 'responseBytes', limit: 1000, windowSeconds: 10 }])
  const first = check()
  if (first.kind !== 'admitted') throw new Error('not admitted')
  expect(first.debits).toHaveLength(1)
  limiter.debit(first.debits, 3000, 0)
  // Two windows above the burst: the next request passes when they are over, and one byte is free.
  expect([passes({}, 20_000), passes({}, 20_010)]).toEqual([false, true])
})

test('the fields state the limit with the smallest share left, and the time until there is more', () => {
  const { check } = setUp([
    { limit: 100, windowSeconds: 60 },
    { limit: 5, windowSeconds: 60, name: 'tight' },
  ])
  const fields = () => {
    const decision = check()
    const list: string[] = []
    if (decision.kind === 'admitted' && decision.tightest) addLimitFields(list, decision.tightest)
    if (decision.kind === 'rejected')
      list.push(...rejectionFields(decision.limit, decision.retryAfterSeconds))
    return list
  }
  expect(fields()).toEqual(['RateLimit-Policy', '"tight";q=5;w=60', 'RateLimit', '"tight";r=4;t=12'])
  for (let again = 0; again < 3; again += 1) fields()
  expect(fields()).toEqual(['RateLimit-Policy', '"tight";q=5;w=60', 'RateLimit', '"tight";r=0;t=12'])
  expect(fields()).toEqual(['RateLimit-Policy', '"tight";q=5;w=60', 'RateLimit', '"tight";r=0;t=12'])
  const bytes = setUp([{ count: 'responseBytes', name: 'traffic' }])
  const decision = bytes.check()
  const list: string[] = []
  if (decision.kind === 'admitted' && decision.tightest) addLimitFields(list, decision.tightest)
  expect(list).toEqual([
    'RateLimit-Policy',
    '"traffic";q=2;w=10;qu="content-bytes"',
    'RateLimit',
    '"traffic";r=2',
  ])
})

test('a full table keeps the clients that used most, so an attacker cannot reset them', () => {
  const { passes, limiter } = setUp([{ limit: 10, windowSeconds: 1000 }], 100)
  const user = { clientAddress: '198.51.100.1' }
  for (let used = 0; used < 10; used += 1) expect(passes(user)).toBe(true)
  for (let each = 0; each < 1000; each += 1) {
    passes({ clientAddress: `10.0.${each >> 8}.${each & 255}` }, each)
  }
  expect([passes(user, 1000), limiter.table.size]).toEqual([false, 100])
})

test('the value of a claim is read once for all limits of the request', () => {
  let reads = 0
  const claim = () => {
    reads += 1
    return 'ada'
  }
  const rules = Array.from({ length: 20 }, () => ({ key: [{ claim: '/sub' }] }))
  const { passes } = setUp(rules)
  const one = { identity: { user: undefined, claim } }
  expect([passes(one), passes(one), passes(one)]).toEqual([true, true, false])
  expect(reads).toBe(3)
})
