import { expect, it } from 'vitest'
import { BodyRate } from './body-rate.ts'

const LOOK_MS = 200

/** Checks a body for a while; it moves some bytes before each check. Returns the time in ms after which it was too slow. */
function follow(
  rate: BodyRate,
  fromMs: number,
  forMs: number,
  bytes: number,
  reading = true,
): number | undefined {
  for (let passedMs = LOOK_MS; passedMs <= forMs; passedMs += LOOK_MS) {
    if (bytes > 0) rate.moved(bytes)
    if (rate.look(fromMs + passedMs, reading)) return passedMs
  }
  return undefined
}

it('accepts a body at exactly the rate for any time', () => {
  expect(follow(new BodyRate(500, 0), 0, 300_000, 100)).toBeUndefined()
})

it('reports a slower body after 30 s', () => {
  expect(follow(new BodyRate(501, 0), 0, 300_000, 100)).toBe(30_000)
})

it('accepts pauses within the average', () => {
  const rate = new BodyRate(500, 0)
  rate.moved(30_000)
  expect(follow(rate, 0, 59_000, 0)).toBe(31_000)
})

it('reports a body that becomes slower', () => {
  const rate = new BodyRate(500, 0)
  expect(follow(rate, 0, 60_000, 200)).toBeUndefined()
  // 1,000 bytes per second until now: the average of 30 s falls below 500 half a window later.
  expect(follow(rate, 60_000, 60_000, 0)).toBe(16_000)
})

it('does not count the time in which the body is not read', () => {
  const rate = new BodyRate(500, 0)
  expect(follow(rate, 0, 600_000, 0, false)).toBeUndefined()
  expect(follow(rate, 600_000, 60_000, 0)).toBe(30_000)
})

it('does not count the time in which this process did not run', () => {
  const rate = new BodyRate(500, 0)
  expect(follow(rate, 0, 10_000, 100)).toBeUndefined()
  expect(rate.look(100_000, true)).toBe(false)
  expect(follow(rate, 100_000, 60_000, 100)).toBeUndefined()
})
