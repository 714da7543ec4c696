import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runSeed } from '../../test/support/seeded-random.ts'
import { debited, type Quota, remaining, secondsToNext, waitMs } from './gcra.ts'

const TEN_PER_SECOND: Quota = { intervalMs: 100, burst: 10 }

/** Returns the times at which requests are admitted, of requests that come at `times`. */
function admitted(times: readonly number[], quota: Quota): number[] {
  let fullAtMs = 0
  return times.filter(nowMs => {
    if (waitMs(fullAtMs, nowMs, 1, quota) > 0) return false
    fullAtMs = debited(fullAtMs, nowMs, 1, quota)
    return true
  })
}

test('admits a burst at once, and then one request per interval', () => {
  const at = (nowMs: number, count: number) => Array.from({ length: count }, () => nowMs)
  expect(admitted([...at(5, 12), ...at(104, 1), ...at(105, 2), ...at(305, 3)], TEN_PER_SECOND)).toEqual([
    ...at(5, 10),
    105,
    305,
    305,
  ])
})

test('the wait is the time after which exactly the cost is admitted', () => {
  const fullAtMs = debited(0, 1000, 10, TEN_PER_SECOND)
  expect(waitMs(fullAtMs, 1000, 1, TEN_PER_SECOND)).toBe(100)
  expect(waitMs(fullAtMs, 1000, 4, TEN_PER_SECOND)).toBe(400)
  expect(waitMs(fullAtMs, 1100, 1, TEN_PER_SECOND)).toBe(0)
  // A cost above the burst waits for the whole burst.
  expect(waitMs(fullAtMs, 1000, 1000, TEN_PER_SECOND)).toBe(1000)
})

test('the remaining requests, and the seconds until there is one more', () => {
  const slow: Quota = { intervalMs: 12_000, burst: 5 }
  expect([remaining(0, 7, slow), secondsToNext(0, 7, slow)]).toEqual([5, 0])
  let fullAtMs = debited(0, 0, 1, slow)
  expect([remaining(fullAtMs, 0, slow), secondsToNext(fullAtMs, 0, slow)]).toEqual([4, 12])
  expect([remaining(fullAtMs, 11_500, slow), secondsToNext(fullAtMs, 11_500, slow)]).toEqual([4, 1])
  fullAtMs = debited(fullAtMs, 11_500, 4, slow)
  expect([remaining(fullAtMs, 11_500, slow), secondsToNext(fullAtMs, 11_500, slow)]).toEqual([0, 1])
  expect(waitMs(fullAtMs, 11_500, 1, slow)).toBe(500)
})

describe('for all limits and all arrivals', () => {
  const arrivals = fc.record({
    limit: fc.integer({ min: 1, max: 1000 }),
    windowMs: fc.integer({ min: 1, max: 86_400 }).map(seconds => seconds * 1000),
    burstShare: fc.double({ min: 0, max: 1, noNaN: true }),
    gaps: fc.array(fc.double({ min: 0, max: 3, noNaN: true }), { minLength: 1, maxLength: 400 }),
  })

  test('a window admits at most limit + burst, the whole run at most the average + burst, and a request passes after the stated wait', () => {
    fc.assert(
      fc.property(arrivals, ({ limit, windowMs, burstShare, gaps }) => {
        const quota = { intervalMs: windowMs / limit, burst: Math.max(1, Math.round(limit * burstShare)) }
        let nowMs = 1e6
        const times = gaps.map(gap => (nowMs += gap * quota.intervalMs))
        const passed = admitted(times, quota)
        for (const [index, startMs] of passed.entries()) {
          const within = passed.slice(index).filter(atMs => atMs < startMs + windowMs)
          expect(within.length).toBeLessThanOrEqual(limit + quota.burst)
        }
        const spanMs = times.at(-1)! - times[0]!
        expect(passed.length).toBeLessThanOrEqual(spanMs / quota.intervalMs + quota.burst + 0.01)
        let fullAtMs = 0
        for (const atMs of times) {
          const wait = waitMs(fullAtMs, atMs, 1, quota)
          expect(waitMs(fullAtMs, atMs + wait, 1, quota)).toBe(0)
          expect(remaining(fullAtMs, atMs, quota) > 0).toBe(wait === 0)
          if (wait === 0) fullAtMs = debited(fullAtMs, atMs, 1, quota)
        }
      }),
      { seed: runSeed() },
    )
  })
})
