import { expect, it } from 'vitest'
import { quantileOf, RecentTimes } from './recent-times.ts'

function timesOf(values: readonly number[], nowMs = 1000): RecentTimes {
  const times = new RecentTimes()
  for (const ms of values) times.add(ms, nowMs)
  return times
}

it.each([0.5, 0.95, 0.99])(
  'estimates the quantile %s of all processes with an error of at most 20 %%',
  quantile => {
    const values = Array.from({ length: 1000 }, (_, index) => 1 + index)
    const halves = [timesOf(values.slice(0, 300)), timesOf(values.slice(300))]
    const found = quantileOf(halves, quantile, 1000)!
    expect(Math.abs(found / (1000 * quantile) - 1)).toBeLessThan(0.2)
  },
)

it('accepts times below the first bucket and above the last one', () => {
  expect(quantileOf([timesOf([0])], 0.5, 1000)).toBeLessThan(0.3)
  expect(quantileOf([timesOf([3_600_000])], 0.5, 1000)).toBeGreaterThan(10_000)
})

it('forgets a response after a minute, and keeps the later ones', () => {
  const times = timesOf([1000], 5000)
  times.add(10, 40_000)
  expect(quantileOf([times], 1, 59_000)).toBeGreaterThan(800)
  expect(quantileOf([times], 1, 66_000)).toBeLessThan(15)
  expect(quantileOf([times], 1, 101_000)).toBeNull()
})

it('has no quantile without a response', () => {
  expect(quantileOf([], 0.95, 0)).toBeNull()
  expect(quantileOf([new RecentTimes()], 0.95, 0)).toBeNull()
})
