import { expect, test } from 'vitest'
import { limitNeedsCredential, rateLimitsSchema } from './limit-rules.ts'

test.each([
  [{ name: 'a', limit: 1 }],
  [{ name: 'a', limit: 1e9, windowSeconds: 2_678_400, burst: 1, key: [] }],
  [{ name: 'a.b-C_1', limit: 5, key: ['address', 'host', 'tenant', 'method'] }],
  [{ name: 'a', limit: 5, key: [{ header: 'X_Api.Key-1' }, { cookie: '__Host-id' }, { claim: '/a~1b/0' }] }],
  [{ name: 'a', limit: 5, match: { path: '/a/b', methods: ['GET', 'M-SEARCH'] } }],
])('%j is valid', limit => {
  expect(rateLimitsSchema.safeParse([limit]).success).toBe(true)
})

test.each([
  [{}, '0.name'],
  [{ name: '', limit: 1 }, '0.name'],
  [{ name: 'a b', limit: 1 }, '0.name'],
  [{ name: 'a', limit: 0 }, '0.limit'],
  [{ name: 'a', limit: 1.5 }, '0.limit'],
  [{ name: 'a', limit: 1e10 }, '0.limit'],
  [{ name: 'a', limit: 1, windowSeconds: 0 }, '0.windowSeconds'],
  [{ name: 'a', limit: 1, windowSeconds: 2_678_401 }, '0.windowSeconds'],
  [{ name: 'a', limit: 5, burst: 6 }, '0.burst'],
  [{ name: 'a', limit: 1, key: ['ip'] }, '0.key.0'],
  [{ name: 'a', limit: 1, key: [{ header: 'a b' }] }, '0.key.0.header'],
  [{ name: 'a', limit: 1, key: [{ claim: 'sub' }] }, '0.key.0.claim'],
  [{ name: 'a', limit: 1, key: [{ header: 'a', cookie: 'b' }] }, '0.key.0'],
  [{ name: 'a', limit: 1, key: Array(5).fill('host') }, '0.key'],
  [{ name: 'a', limit: 1, match: { path: 'login' } }, '0.match.path'],
  [{ name: 'a', limit: 1, match: { path: '/a/../b' } }, '0.match.path'],
  [{ name: 'a', limit: 1, match: { path: '/a?b' } }, '0.match.path'],
  [{ name: 'a', limit: 1, match: { methods: ['get'] } }, '0.match.methods.0'],
  [{ name: 'a', limit: 1, match: { methods: [] } }, '0.match.methods'],
  [{ name: 'a', limit: 1, scope: 'world' }, '0.scope'],
  [{ name: 'a', limit: 1, unknown: 1 }, '0'],
])('%j is invalid at %s', (limit, place) => {
  const parsed = rateLimitsSchema.safeParse([limit])
  expect(parsed.error?.issues.map(({ path }) => path.join('.'))).toContain(place)
})

test('names are unique, and there are at most 20 limits', () => {
  const named = (names: readonly string[]) =>
    rateLimitsSchema.safeParse(names.map(name => ({ name, limit: 1 })))
  expect(named(['a', 'b', 'a']).error?.issues.map(({ path }) => path.join('.'))).toEqual(['2.name'])
  expect(named(Array.from({ length: 21 }, (_, at) => `n${at}`)).success).toBe(false)
})

test.each([
  [undefined, false],
  [['address', { header: 'x' }], false],
  [['address', 'user'], true],
  [[{ claim: '/sub' }], true],
] as const)('the key %j needs a credential: %s', (key, needs) => {
  expect(limitNeedsCredential({ name: 'a', limit: 1, ...(key && { key: [...key] }) })).toBe(needs)
})
