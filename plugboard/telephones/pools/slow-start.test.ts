import { expect, it } from 'vitest'
import { processesIn, SimulatedPool } from '../../../test/support/harness/simulated-pool.ts'
import type { PooledProcess } from './line-pool.ts'

const respond = () => ({ ms: 10 })
const SLOW_MS = 10_000

function pool(): SimulatedPool {
  const simulated = new SimulatedPool({ balancing: 'round_robin', slowStartMs: SLOW_MS })
  simulated.connect({ name: 'old', respond })
  simulated.clock.advance(SLOW_MS)
  return simulated
}
const processNamed = (simulated: SimulatedPool, name: string) =>
  processesIn(simulated.picker).find(({ telephone }) => telephone === name) as PooledProcess

it('starts a new process with 10 % of its weight, which grows to the full one in slowStartMs', () => {
  const simulated = pool()
  simulated.connect({ name: 'new', respond })
  const weights = [0, 0.25, 0.5, 1, 1.5].map(part => {
    simulated.clock.advance(
      processNamed(simulated, 'new').startedAtMs + part * SLOW_MS - simulated.clock.now(),
    )
    simulated.request()
    return Math.round(processNamed(simulated, 'new').weight * 10) / 10
  })
  expect(weights).toEqual([10, 32.5, 55, 100, 100])
  expect(processNamed(simulated, 'old').weight).toBe(100)
})

it('gives the new process its share of the requests during the growth', () => {
  const simulated = pool()
  simulated.connect({ name: 'new', respond })
  simulated.shares()
  simulated.run(1000, 1000)
  expect(simulated.shares().new).toBeCloseTo(0.125, 1)
  simulated.clock.advance(SLOW_MS)
  simulated.run(1000, 1000)
  expect(simulated.shares().new).toBeCloseTo(0.5, 2)
})

it.each([
  ['is healthy again', { health: 'down' }, { health: 'up' }],
  ['has a weight again', { weight: 0 }, { weight: 100 }],
] as const)('starts a process slowly that %s', (_, without, again) => {
  const simulated = pool()
  simulated.connect({ name: 'new', respond })
  simulated.clock.advance(SLOW_MS)
  simulated.announce('new', without)
  simulated.clock.advance(SLOW_MS)
  simulated.announce('new', again)
  simulated.request()
  expect(processNamed(simulated, 'new').weight).toBe(10)
})

it('starts a re-admitted process slowly', () => {
  const simulated = pool()
  const outlier = { consecutive: 5, ejectMs: 10_000, maxEjectMs: 300_000, maxEjectedPercent: 50 }
  simulated.policy = { ...simulated.policy, outlier }
  simulated.connect({ name: 'new', respond: () => ({ ms: 1, status: 503 }) })
  simulated.run(12_000, 100)
  expect(processNamed(simulated, 'new').watch.state.kind).toBe('ejected')
  simulated.connect({ name: 'new', respond })
  while (processNamed(simulated, 'new').watch.state.kind !== 'serving') simulated.run(10, 100)
  simulated.request()
  expect(processNamed(simulated, 'new').weight).toBeLessThan(15)
})

it('does not start a process slowly when a further tunnel connects, or without slowStartMs', () => {
  const simulated = pool()
  simulated.connect({ name: 'old', tunnels: 2, respond })
  simulated.connect({ name: 'new', respond })
  simulated.request()
  expect(processNamed(simulated, 'old').weight).toBe(100)
  expect(processNamed(simulated, 'new').weight).toBe(10)
  simulated.policy = { ...simulated.policy, slowStartMs: 0 }
  simulated.request()
  expect(processNamed(simulated, 'new').weight).toBe(100)
})
