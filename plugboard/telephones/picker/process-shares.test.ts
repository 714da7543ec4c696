// The share of a process depends on its weight only, not on its number of tunnels (acceptance test T1, in simulated time).

import { describe, expect, it } from 'vitest'
import { processesIn, SimulatedPool } from '../../../test/support/harness/simulated-pool.ts'
import type { Candidate } from '../pools/line-pool.ts'

const POLICIES = ['least_streams', 'round_robin', 'random', 'peak_ewma'] as const
const respond = (random: () => number) => ({ ms: 5 + 10 * random() })

function pool(balancing: (typeof POLICIES)[number]): SimulatedPool {
  const pool = new SimulatedPool({ balancing })
  pool.connect({ name: 'one', tunnels: 1, respond })
  pool.connect({ name: 'four', tunnels: 4, respond })
  return pool
}

describe.each(POLICIES)('%s', balancing => {
  const [low, high] = balancing === 'peak_ewma' ? [0.35, 0.65] : [0.47, 0.53]
  const expectHalf = (share: number | undefined) => {
    expect(share).toBeGreaterThan(low)
    expect(share).toBeLessThan(high)
  }

  it('gives processes with one and with four tunnels equal shares', () => {
    const simulated = pool(balancing)
    simulated.run(20_000, 200)
    expectHalf(simulated.shares().one)
  })

  it('keeps the shares equal while tunnels end and connect', () => {
    const simulated = pool(balancing)
    simulated.run(1000, 200)
    for (const change of [
      () => simulated.dropTunnel('four', 2),
      () => simulated.connect({ name: 'one', tunnels: 2, respond }),
      () => simulated.dropTunnel('one', 0),
    ]) {
      change()
      simulated.shares()
      simulated.run(20_000, 200)
      expectHalf(simulated.shares().one)
    }
  })

  it('follows the weights of the processes', () => {
    const simulated = pool(balancing)
    simulated.connect({ name: 'four', tunnels: 4, weight: 300, respond })
    // At 2000 requests per second, several streams are open at a time, so that the policies can follow the weights.
    simulated.run(5000, 2000)
    expect(simulated.shares().one).toBeCloseTo(0.25, 1)
  })
})

describe('a process', () => {
  it('has the weight that its telephone announced last, while its lines differ', () => {
    const simulated = pool('round_robin')
    const [process] = processesIn(simulated.picker).filter(({ telephone }) => telephone === 'four')
    simulated.connect({ name: 'four', tunnels: 2, weight: 300, respond })
    expect(process?.weight).toBe(300)
    simulated.dropTunnel('four', 0)
    simulated.dropTunnel('four', 1)
    expect(process?.weight).toBe(100)
  })

  it('keeps the count of its streams when its last tunnel ends and it connects again', () => {
    const simulated = new SimulatedPool({ balancing: 'least_streams' })
    simulated.connect({ name: 'one', respond: () => ({ ms: 1000 }) })
    for (let count = 0; count < 3; count += 1) simulated.request()
    simulated.dropTunnel('one', 0)
    expect(processesIn(simulated.picker)).toEqual([])
    simulated.connect({ name: 'one', respond })
    expect(processesIn(simulated.picker).map(({ active }) => active)).toEqual([3])
    simulated.clock.advance(1000)
    expect(processesIn(simulated.picker).map(({ active }) => active)).toEqual([0])
  })

  it('spreads its streams over its tunnels', () => {
    const simulated = new SimulatedPool({ balancing: 'least_streams' })
    simulated.connect({ name: 'four', tunnels: 4, respond: () => ({ ms: 1000 }) })
    for (let count = 0; count < 40; count += 1) simulated.request()
    const lines = simulated.picker.candidatesOf('web').map(({ active }: Candidate) => active)
    expect(lines).toEqual([10, 10, 10, 10])
  })
})
