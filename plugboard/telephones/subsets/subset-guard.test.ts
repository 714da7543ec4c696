import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../test/support/seeded-random.ts'
import { countRest, countSubset, newGuard, STOPPED_MS, type SubsetGuard, shareOf } from './subset-guard.ts'

const RULES = { maxErrorPercent: 5, minRequests: 50 }

/**
 * Counts results of which each `nth` is an error, each with a result of the rest. Returns the number of the result that stops
 * the subset.
 */
function count(guard: SubsetGuard, results: number, nth: number, nowMs = 0): number | undefined {
  for (let result = 1; result <= results; result += 1) {
    countRest(guard, false)
    if (countSubset(guard, result % nth === 0, nowMs) !== undefined) return result
  }
  return undefined
}

function guardWithRest(errorsOfRest: number, results = 100): SubsetGuard {
  const guard = newGuard(RULES)
  for (let result = 0; result < results; result += 1) countRest(guard, result < errorsOfRest)
  return guard
}

describe('a subset is stopped', () => {
  it('at the first result after minRequests when all its requests fail', () => {
    const guard = guardWithRest(0)
    for (let result = 0; result < 49; result += 1) expect(countSubset(guard, true, 0)).toBeUndefined()
    expect(countSubset(guard, true, 0)).toEqual({ errorPercent: 100, restErrorPercent: 0 })
    expect(guard.stops).toBe(1)
  })

  it('soon after its errors begin, even after many successes', () => {
    const guard = guardWithRest(0)
    expect(count(guard, 10_000, Number.POSITIVE_INFINITY)).toBeUndefined()
    expect(count(guard, 100, 1)).toBeLessThan(15)
  })

  it('for a minute, and gets half its share afterwards, and a quarter after the next stop', () => {
    const guard = guardWithRest(0)
    expect(shareOf(guard, 0)).toBe(1)
    count(guard, 50, 1, 1000)
    expect([shareOf(guard, 1000), shareOf(guard, 1000 + STOPPED_MS - 1)]).toEqual([0, 0])
    expect(shareOf(guard, 1000 + STOPPED_MS)).toBe(0.5)
    expect(count(guard, 100, 1, 1000 + STOPPED_MS)).toBe(50)
    expect([shareOf(guard, 1000 + 2 * STOPPED_MS), guard.stops]).toEqual([0.25, 2])
  })
})

describe('a subset is not stopped', () => {
  it('when it has at most maxErrorPercent points more errors than the rest', () => {
    expect(count(guardWithRest(0), 5000, 20)).toBeUndefined()
    expect(count(guardWithRest(0), 5000, 10)).toBeGreaterThan(RULES.minRequests)
  })

  it('when it fails as the rest does', () => {
    const guard = newGuard(RULES)
    for (let result = 0; result < 1000; result += 1) {
      countRest(guard, true)
      countSubset(guard, true, 0)
    }
    expect(guard.stops).toBe(0)
  })

  it('before minRequests, or without requests of the rest', () => {
    expect(count(guardWithRest(0), 49, 1)).toBeUndefined()
    const guard = guardWithRest(0, 9)
    for (let result = 0; result < 1000; result += 1) countSubset(guard, true, 0)
    expect(guard.stops).toBe(0)
  })

  it('by results that arrive while it is stopped', () => {
    const guard = guardWithRest(0)
    count(guard, 50, 1)
    expect(count(guard, 1000, 1, STOPPED_MS - 1)).toBeUndefined()
    expect([guard.short.requests, guard.long.requests]).toEqual([0, 0])
  })

  it('by chance in many runs with 2 % of errors', () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const random = seededRandom(seed)
      const guard = newGuard(RULES)
      for (let result = 0; result < 5000; result += 1) {
        for (let rest = 0; rest < 4; rest += 1) countRest(guard, random() < 0.005)
        countSubset(guard, random() < 0.02, 0)
      }
      expect(guard.stops).toBe(0)
    }
  })
})
