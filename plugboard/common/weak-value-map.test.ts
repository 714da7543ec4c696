// Entries last as long as their values are used.

import { expect, it } from 'vitest'
import { collectGarbage } from '../../test/support/garbage.ts'
import { WeakValueMap } from './weak-value-map.ts'

it('returns the same value for a key while the value is in use', () => {
  const map = new WeakValueMap<{ name: string }>()
  const first = map.getOrAdd('a', () => ({ name: 'first' }))
  expect(map.getOrAdd('a', () => ({ name: 'second' }))).toBe(first)
  expect(map.getOrAdd('b', () => ({ name: 'other' }))).not.toBe(first)
})

it('drops the entry of a value that is no longer in use', async () => {
  const map = new WeakValueMap<{ name: string }>()
  for (let index = 0; index < 100; index += 1) map.getOrAdd(`key ${index}`, () => ({ name: 'unused' }))
  const used = map.getOrAdd('used', () => ({ name: 'used' }))
  await expect
    .poll(async () => {
      await collectGarbage()
      return map.size
    })
    .toBe(1)
  expect(map.getOrAdd('used', () => ({ name: 'new' }))).toBe(used)
})
