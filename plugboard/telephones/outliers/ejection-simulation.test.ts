// Passive ejection in simulated time: pools with failing processes, and the requests that fail in one minute. The bound of the
// acceptance test is one failed request in a thousand.

import { describe, expect, it } from 'vitest'
import {
  processesIn,
  SimulatedPool,
  type SimulatedResponse,
} from '../../../test/support/harness/simulated-pool.ts'
import type { OutlierPolicy } from '../../routes/options/outlier-policy.ts'
import type { Balancing } from '../balancing/balancing.ts'

const DEFAULTS: OutlierPolicy = {
  consecutive: 5,
  ejectMs: 10_000,
  maxEjectMs: 300_000,
  maxEjectedPercent: 50,
}

type Respond = (random: () => number) => SimulatedResponse

const healthy: Respond = random => ({ ms: 2 + 6 * random() })
const error =
  (status: number): Respond =>
  () => ({ ms: 0.3, status })
const dead: Respond = () => ({ ms: 0.5, failure: 'refused' })

/** A pool of `count` processes, of which the first `failing` respond by `respond`. */
function poolOf(
  count: number,
  failing: number,
  respond: Respond,
  { balancing = 'peak_ewma', outlier = DEFAULTS }: { balancing?: Balancing; outlier?: OutlierPolicy } = {},
): SimulatedPool {
  const pool = new SimulatedPool({ balancing, maxStreams: null, outlier })
  for (let index = 0; index < count; index += 1)
    pool.connect({ name: `p${index}`, respond: index < failing ? respond : healthy })
  return pool
}

function states(pool: SimulatedPool): string[] {
  return processesIn(pool.picker).map(({ watch }) => watch.state.kind)
}

const isEjected = (state: string): boolean => state !== 'serving'

describe.each(['peak_ewma', 'least_streams', 'round_robin', 'random'] as const)('with %s', balancing => {
  it.each([
    ['one of 5 responds with 500', 5, 1, error(500), 1000],
    ['one of 10 responds with 503', 10, 1, error(503), 500],
    ['3 of 10 backends are dead', 10, 3, dead, 500],
    ['4 of 10 backends are dead', 10, 4, dead, 500],
    ['6 of 10 backends are dead', 10, 6, dead, 500],
  ])(
    'at most one request in a thousand fails in a minute when %s',
    (_title, count, failing, respond, rate) => {
      const pool = poolOf(count, failing, respond, { balancing })
      pool.run(60_000, rate)
      expect(pool.failures / pool.requests).toBeLessThan(0.001)
      expect(states(pool).filter(isEjected)).toHaveLength(failing)
    },
  )

  it('less than two requests in a thousand fail in a minute when 4 of 10 respond with 503 from the start', () => {
    const pool = poolOf(10, 4, error(503), { balancing })
    pool.run(60_000, 2000)
    expect(pool.failures / pool.requests).toBeLessThan(0.002)
    expect(states(pool).filter(isEjected)).toHaveLength(4)
  })

  it('dead backends cause no failed request after the first second', () => {
    const pool = poolOf(10, 6, dead, { balancing })
    pool.run(1000, 500)
    const inFirstSecond = pool.failures
    pool.run(59_000, 500)
    expect(pool.failures).toBe(inFirstSecond)
  })

  it('no process is ejected when all fail alike', () => {
    for (const respond of [error(500), error(503), dead]) {
      const pool = poolOf(10, 0, respond, { balancing })
      pool.run(2000, 500)
      for (let index = 0; index < 10; index += 1) pool.connect({ name: `p${index}`, respond })
      pool.run(20_000, 500)
      expect(states(pool).filter(isEjected)).toEqual([])
    }
  })

  it('no process is ejected when a URL fails everywhere', () => {
    for (const share of [0.1, 0.5, 0.9]) {
      for (const status of [500, 503]) {
        const respond: Respond = random => (random() < share ? { ms: 1, status } : healthy(random))
        const pool = poolOf(10, 10, respond, { balancing })
        pool.run(30_000, 1000)
        expect(states(pool).filter(isEjected)).toEqual([])
      }
    }
  })
})

it('without passive ejection a process that fails at once keeps its share of the requests', () => {
  const pool = poolOf(5, 1, error(503), { balancing: 'round_robin', outlier: false })
  pool.run(10_000, 500)
  expect(pool.failures / pool.requests).toBeCloseTo(0.2, 2)
})

it('the only process is never ejected', () => {
  const pool = poolOf(1, 1, error(503))
  pool.run(10_000, 200)
  expect(states(pool)).toEqual(['serving'])
})

it('a process that recovers gets its share of the requests again', () => {
  const pool = poolOf(10, 1, error(503))
  pool.run(8000, 500)
  expect(states(pool)[0]).toBe('ejected')
  pool.connect({ name: 'p0', respond: healthy })
  pool.run(10_000, 500)
  expect(states(pool)[0]).toBe('serving')
  pool.shares()
  pool.run(5000, 500)
  expect(pool.shares().p0).toBeGreaterThan(0.05)
})

it('a process that continues to fail costs one failed request for each ejection', () => {
  const pool = poolOf(10, 1, error(503))
  pool.run(120_000, 500)
  // 5 failures, then one failed trial after 10, 30, 70 seconds.
  expect(pool.failures).toBeLessThanOrEqual(8)
})
