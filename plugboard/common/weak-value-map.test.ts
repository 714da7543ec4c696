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

it('makes a new value for a key whose value is no longer in use, and keeps the others', async () => {
  const map = new WeakValueMap<{ name: string }>()
  const used = map.getOrAdd('used', () => ({ name: 'used' }))
  map.getOrAdd('unused', () => ({ name: 'first' }))
  await expect
    .poll(async () => {
      await collectGarbage()
      return map.getOrAdd('unused', () => ({ name: 'second' })).name
    })
    .toBe('second')
  expect(map.getOrAdd('used', () => ({ name: 'new' }))).toBe(used)
})
