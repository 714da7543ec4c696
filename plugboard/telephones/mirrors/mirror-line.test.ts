// The line for a copy of a request, in a pool whose real requests must not notice it.

import { beforeEach, expect, it } from 'vitest'
import { processesIn, SimulatedPool } from '../../../test/support/harness/simulated-pool.ts'
import { resolveServicePolicy } from '../../routes/options/service-policy.ts'
import { subsetsOf } from '../subsets/service-subsets.ts'
import { mirrorLine } from './mirror-line.ts'

const subsets = subsetsOf(
  resolveServicePolicy({ subsets: [{ name: 'canary', select: { version: '2.*' } }] }).policy,
  'service-1',
)!

let pool: SimulatedPool
beforeEach(() => {
  pool = new SimulatedPool({ balancing: 'peak_ewma' })
  const respond = () => ({ ms: 5 })
  pool.connect({ name: 'stable', version: '1.0', respond })
  pool.connect({ name: 'canary-1', version: '2.0', weight: 300, respond })
  pool.connect({ name: 'canary-2', version: '2.1', weight: 100, respond })
  pool.run(1000, 100)
})

const lines = () => [...pool.picker.pools][0]!
const pick = (random: number, more: object = {}) =>
  mirrorLine(
    lines(),
    { subsets, subset: 'canary', maxStreamsPerTelephone: null, client: '', ...more },
    random,
  )?.line.telephone

it('is one of the subset, chosen by weight', () => {
  expect([0, 0.74, 0.76, 0.999].map(random => pick(random))).toEqual([
    'canary-1',
    'canary-1',
    'canary-2',
    'canary-2',
  ])
  expect(pick(0, { subset: 'other' })).toBeUndefined()
})

it('is not one of a process that is full, ejected or half-open', () => {
  const [, first, second] = processesIn(pool.picker)
  second!.active = 5
  expect(pick(0.9, { maxStreamsPerTelephone: 5 })).toBe('canary-1')
  first!.watch.state = { kind: 'half_open', successes: 0 } as never
  expect(pick(0.9, { maxStreamsPerTelephone: 5 })).toBeUndefined()
  second!.active = 0
  expect(pick(0)).toBe('canary-2')
})

it('changes no count, average or turn of the pool', () => {
  const state = () =>
    JSON.stringify([
      lines().cursor,
      lines().opened,
      lines().holders.length,
      processesIn(pool.picker).map(({ active, turn, cursor, latency }) => [active, turn, cursor, latency]),
    ])
  pick(0)
  const before = state()
  for (let count = 0; count < 10; count += 1) pick(count / 10)
  expect(state()).toBe(before)
})
