import { expect, test } from 'vitest'
import { CredentialCache } from './credential-cache.ts'

test('each check has its own entries in the shared cache', () => {
  const remembered = new CredentialCache<string>(10)
  const [one, other] = [remembered.scope(), remembered.scope()]
  remembered.set(one('ada:secret'), 'ada', 100)
  expect(remembered.get(one('ada:secret'), 99)).toBe('ada')
  expect(remembered.get(other('ada:secret'), 99)).toBeUndefined()
  expect(remembered.get(one('ada:secret'), 100)).toBeUndefined()
  expect(one('ada:secret')).not.toContain('ada')
  expect(new CredentialCache<string>(1).scope()('ada:secret')).not.toBe(one('ada:secret'))
})

test('the size is bounded, and the oldest entry is evicted first', () => {
  const remembered = new CredentialCache<number>(2)
  const key = remembered.scope()
  for (const n of [1, 2, 1, 3]) remembered.set(key(String(n)), n, 10)
  expect([1, 2, 3].map(n => remembered.get(key(String(n)), 0))).toEqual([1, undefined, 3])
})

test('a used entry stays, and an unused one expires', () => {
  const remembered = new CredentialCache<string>(10)
  const key = remembered.scope()('ada:secret')
  remembered.set(key, 'ada', 100)
  for (const nowMs of [40, 90, 160, 250]) expect(remembered.use(key, nowMs, 100)).toBe('ada')
  expect(remembered.use(key, 350, 100)).toBeUndefined()
})

test('a used entry is the last one to be evicted', () => {
  const remembered = new CredentialCache<number>(2)
  const key = remembered.scope()
  for (const n of [1, 2]) remembered.set(key(String(n)), n, 100)
  remembered.use(key('1'), 60, 100)
  remembered.set(key('3'), 3, 200)
  expect([1, 2, 3].map(n => remembered.get(key(String(n)), 60))).toEqual([1, undefined, 3])
})
