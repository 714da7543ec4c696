import { expect, test } from 'vitest'
import { CredentialCache } from './credential-cache.ts'

test('each check has its own entries in the shared cache', () => {
  const cache = new CredentialCache<string>(10)
  const [one, other] = [cache.scope(), cache.scope()]
  cache.set(one('ada:secret'), 'ada', 100)
  expect(cache.get(one('ada:secret'), 99)).toBe('ada')
  expect(cache.get(other('ada:secret'), 99)).toBeUndefined()
  expect(cache.get(one('ada:secret'), 100)).toBeUndefined()
  expect(one('ada:secret')).not.toContain('ada')
  expect(new CredentialCache<string>(1).scope()('ada:secret')).not.toBe(one('ada:secret'))
})

test('the size is bounded, and the oldest entry is evicted first', () => {
  const cache = new CredentialCache<number>(2)
  const key = cache.scope()
  for (const n of [1, 2, 1, 3]) cache.set(key(String(n)), n, 10)
  expect([1, 2, 3].map(n => cache.get(key(String(n)), 0))).toEqual([1, undefined, 3])
})

test('a used entry stays, and an unused one expires', () => {
  const cache = new CredentialCache<string>(10)
  const key = cache.scope()('ada:secret')
  cache.set(key, 'ada', 100)
  for (const nowMs of [40, 90, 160, 250]) expect(cache.use(key, nowMs, 100)).toBe('ada')
  expect(cache.use(key, 350, 100)).toBeUndefined()
})

test('a used entry is the last one to be evicted', () => {
  const cache = new CredentialCache<number>(2)
  const key = cache.scope()
  for (const n of [1, 2]) cache.set(key(String(n)), n, 100)
  cache.use(key('1'), 60, 100)
  cache.set(key('3'), 3, 200)
  expect([1, 2, 3].map(n => cache.get(key(String(n)), 60))).toEqual([1, undefined, 3])
})
