import fc from 'fast-check'
import { expect, it } from 'vitest'
import { fairLevel } from './fair-level.ts'

it.each([
  ['amounts that fit', [1, 2, 3], 6, Number.POSITIVE_INFINITY],
  ['one that is too large', [10], 4, 4],
  ['a large one beside small ones', [1, 2, 100], 13, 10],
  ['two large ones beside a small one', [50, 2, 100], 42, 20],
  ['equal ones', [10, 10, 10, 10], 20, 5],
  ['no amounts', [], 5, Number.POSITIVE_INFINITY],
  ['no total', [3, 4], 0, 0],
  ['less than no total', [3, 4], -7, 0],
])('the level of %s', (_, amounts, total, level) => {
  expect(fairLevel(amounts, total)).toBe(level)
})

it('is where amounts, each cut at the level, add up to the total', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1e6), { minLength: 1, maxLength: 50 }), fc.nat(1e7), (amounts, total) => {
      const level = fairLevel(amounts, total)
      const sum = amounts.reduce((bytes, amount) => bytes + Math.min(amount, level), 0)
      const all = amounts.reduce((bytes, amount) => bytes + amount, 0)
      expect(sum).toBeCloseTo(Math.min(total, all), 3)
    }),
  )
})
