import { expect, it } from 'vitest'
import { Histogram } from './histogram.ts'

it('counts a value on a bound in the bucket below it, and a larger value than all bounds in the last one', () => {
  const histogram = new Histogram([0.1, 1])
  for (const value of [0, 0.1, 0.11, 1, 7]) histogram.observe(value)
  expect([histogram.counts, histogram.count, histogram.sum]).toEqual([[2, 2, 1], 5, 8.21])
})
