// The policy `peak_ewma` in simulated time: acceptance test T4, the failing and the new process, and the values of the average.

import { describe, expect, it } from 'vitest'
import {
  processesIn,
  SimulatedPool,
  type SimulatedResponse,
} from '../../../test/support/harness/simulated-pool.ts'
import type { BalancedProcess } from './balanced-process.ts'
import { addFailure, addResponse, cost, medianOf, NO_SAMPLE_MS, newLatency, peakEwma } from './peak-ewma.ts'

type Respond = (random: () => number) => SimulatedResponse

/** 80 % of the responses take 10 ms, 18 % take 100 ms and 2 % take 3 s. */
const heavyTailed: Respond = random => {
  const point = random()
  return { ms: point < 0.8 ? 10 : point < 0.98 ? 100 : 3000 }
}
const around =
  (ms: number): Respond =>
  random => ({ ms: ms * (0.8 + 0.4 * random()) })

function simulate(count: number, respondOf: (index: number) => Respond, seed = 7): SimulatedPool {
  const pool = new SimulatedPool({ balancing: 'peak_ewma' }, seed)
  for (let index = 0; index < count; index += 1)
    pool.connect({ name: `p${index}`, respond: respondOf(index) })
  return pool
}

/** The share of each process, relative to a fair share. */
const fairShares = (pool: SimulatedPool): number[] => {
  const shares = Object.values(pool.shares())
  return shares.map(share => share * shares.length)
}

const process = (latency: Partial<BalancedProcess['latency']>, more: Partial<BalancedProcess> = {}) => ({
  weight: 1,
  active: 0,
  isLocal: true,
  turn: 0,
  seed: 0,
  ...more,
  latency: { ...newLatency(), ...latency },
})

describe('cost', () => {
  it('is the decayed average, at least 1 ms, times the streams with the new one, divided by the weight', () => {
    const sampled = { ewmaMs: 80, sampledAtMs: 1000 }
    expect(cost(process(sampled), 1000)).toBe(80)
    expect(cost(process(sampled), 6000)).toBeCloseTo(80 / Math.E)
    expect(cost(process(sampled), 600_000)).toBe(1)
    expect(cost(process(sampled, { active: 3, weight: 2 }), 1000)).toBe(160)
    expect(cost(process({}), 1000)).toBe(1)
  })

  it('decides, and among equal processes the first after the start index wins', () => {
    const [slow, fast, twin] = [process({ ewmaMs: 9 }), process({ ewmaMs: 5 }), process({ ewmaMs: 5 })]
    expect(peakEwma([slow, fast, twin], 0, 0)).toBe(fast)
    expect(peakEwma([slow, fast, twin], 2, 0)).toBe(twin)
    expect(peakEwma([], 0, 0)).toBeUndefined()
  })
})

describe('the average', () => {
  it('is replaced by a higher sample, and blends in a lower one', () => {
    const latency = newLatency()
    addResponse(latency, 10, 0)
    addResponse(latency, 50, 0)
    expect(latency.ewmaMs).toBe(50)
    addResponse(latency, 10, 5000)
    expect(latency.ewmaMs).toBeCloseTo(50 / Math.E + 10 * (1 - 1 / Math.E))
  })

  it('counts a failure as twice the median of the pool, or with its own longer time', () => {
    const latency = newLatency()
    addFailure(latency, 30, 0.5, 0)
    expect(latency).toMatchObject({ ewmaMs: 60, responseMs: NO_SAMPLE_MS })
    addFailure(latency, 30, 900, 0)
    expect(latency.ewmaMs).toBe(900)
  })

  it('of failures does not change the median, so that failures cannot raise each other', () => {
    const [one, other] = [newLatency(), newLatency()]
    for (const latency of [one, other]) addResponse(latency, 20, 0)
    for (let count = 0; count < 50; count += 1) {
      addFailure(one, medianOf([one, other]), 1, count)
      addFailure(other, medianOf([one, other]), 1, count)
    }
    expect([one.ewmaMs, other.ewmaMs]).toEqual([40, 40])
    expect(medianOf([newLatency()])).toBe(NO_SAMPLE_MS)
  })
})

describe('with heavy-tailed work', () => {
  it.each([1, 2, 3])('each of five equal processes gets 0.7 to 1.3 of its fair share (seed %i)', seed => {
    const pool = simulate(5, () => heavyTailed, seed)
    pool.run(60_000, 200)
    for (const share of fairShares(pool)) {
      expect(share).toBeGreaterThan(0.7)
      expect(share).toBeLessThan(1.3)
    }
  })

  it.each([1, 2, 3])(
    'a process that was slow for 30 s gets half of its fair share within 15 s (seed %i)',
    seed => {
      const pool = simulate(5, index => (index === 0 ? around(1000) : heavyTailed), seed)
      pool.run(30_000, 200)
      expect(fairShares(pool)[0]).toBeLessThan(0.4)
      pool.connect({ name: 'p0', respond: heavyTailed })
      pool.run(15_000, 200)
      expect(fairShares(pool)[0]).toBeGreaterThan(0.5)
    },
  )
})

describe('in a pool of ten processes', () => {
  it.each([100, 500])('one that is ten times slower gets at most 1 %% of %i requests per second', rate => {
    const pool = simulate(10, index => around(index === 0 ? 200 : 20))
    pool.run(30_000, rate)
    expect(pool.shares().p0).toBeLessThan(0.01)
  })

  it('one that fails at once gets no more requests than the others', () => {
    const pool = simulate(10, index => (index === 0 ? () => ({ ms: 1, status: 500 }) : around(20)))
    pool.run(30_000, 500)
    expect(fairShares(pool)[0]).toBeLessThan(1)
  })

  it('a new one starts at the median, and is not flooded', () => {
    const pool = simulate(9, () => around(20))
    pool.run(5000, 500)
    pool.shares()
    pool.connect({ name: 'new', respond: around(20) })
    pool.run(500, 500)
    const [share] = fairShares(pool).slice(-1)
    expect(share).toBeGreaterThan(0.3)
    expect(share).toBeLessThan(2)
  })

  it('is not flooded before its first response', () => {
    const pool = simulate(10, index => around(index === 0 ? 2000 : 20))
    pool.run(2000, 500)
    expect(processesIn(pool.picker).map(({ active }) => active)[0]).toBeLessThan(5)
  })
})

it('compares two random processes of a pool of forty, and avoids the slow ones', () => {
  const pool = simulate(40, index => around(index < 4 ? 200 : 20))
  pool.run(10_000, 2000)
  const shares = fairShares(pool)
  for (const share of shares.slice(0, 4)) expect(share).toBeLessThan(0.3)
  for (const share of shares.slice(4)) expect(share).toBeGreaterThan(0.7)
})
