import { expect, test } from 'vitest'
import { NO_TRAFFIC, type TrafficPoint } from './traffic-point.ts'
import { POINT_BYTES, TrafficRing } from './traffic-ring.ts'

const point = (requests: number, ms = 10): TrafficPoint => ({
  classes: [requests, 1, 2, 3],
  requestBytes: 4,
  responseBytes: 5,
  quantiles: [ms, ms * 2, ms * 3],
  parts: [0, ms, ms * 100],
})

test('returns what was set, with times within 4 %', () => {
  const ring = new TrafficRing(10)
  for (const ms of [0.1, 1, 7, 350, 12_345]) {
    ring.set(5, point(1, ms))
    const { quantiles, parts, ...counts } = ring.get(5)!
    expect(counts).toEqual({ classes: [1, 1, 2, 3], requestBytes: 4, responseBytes: 5 })
    const expected = [ms, ms * 2, ms * 3, ms, Math.min(ms * 100, 1_350_000)]
    const got = [...quantiles!, ...parts!.slice(1)]
    got.forEach((value, index) => void expect(value / expected[index]!).toBeCloseTo(1, 1))
    got.forEach((value, index) => void expect(Math.abs(value / expected[index]! - 1)).toBeLessThan(0.04))
    expect(parts![0]).toBe(0)
  }
})

test('keeps as many points as it has places', () => {
  const ring = new TrafficRing(3)
  for (let interval = 100; interval < 105; interval += 1) ring.set(interval, point(interval))
  expect([101, 102, 103, 104, 105].map(interval => ring.get(interval)?.classes[0])).toEqual([
    undefined,
    102,
    103,
    104,
    undefined,
  ])
})

test('has points without traffic for intervals that were left out', () => {
  const ring = new TrafficRing(5)
  ring.set(10, point(1))
  ring.set(13, point(2))
  expect([9, 10, 11, 12, 13].map(interval => ring.get(interval))).toEqual([
    undefined,
    expect.objectContaining({ classes: [1, 1, 2, 3] }),
    NO_TRAFFIC,
    NO_TRAFFIC,
    expect.objectContaining({ classes: [2, 1, 2, 3] }),
  ])
  ring.set(1_000_000, point(3))
  expect(ring.get(999_995)).toBeUndefined()
  expect(ring.get(999_996)).toEqual(NO_TRAFFIC)
})

test('begins again when the clock was set back', () => {
  const ring = new TrafficRing(5)
  ring.set(10, point(1))
  ring.set(8, point(2))
  expect([7, 8, 9, 10].map(interval => ring.get(interval)?.classes[0])).toEqual([
    undefined,
    2,
    undefined,
    undefined,
  ])
})

test('all points of a replica take less than 5 MB', () => {
  expect(51 * (600 + 720 + 1440) * POINT_BYTES).toBeLessThan(5_000_000)
})
