import { silentLogger } from '@vera-stack/shared/log.ts'
import { expect, it } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import { moveTarget, Rebalancer } from './rebalancer.ts'

const others = (...tunnels: number[]) =>
  tunnels.map((count, index) => ({ id: asReplicaId(`r${index}`), tunnels: count }))

it.each([
  ['alone', 100, [], undefined],
  ['even', 100, [100, 100], undefined],
  ['within a tenth', 105, [100, 95], undefined],
  ['one too many of few', 2, [1], undefined],
  ['fewer than others', 10, [100], undefined],
  ['a newcomer beside two', 150, [150, 0], { to: 'r1', count: 3 }],
  ['few tunnels', 4, [0], { to: 'r0', count: 1 }],
  ['many tunnels', 10_000, [0], { to: 'r0', count: 200 }],
] as const)('%s', (_, own, rest, target) => {
  expect(moveTarget(own, others(...rest))).toEqual(target)
})

it('reaches an even share step by step, and then stops moving tunnels', () => {
  const clock = new ManualClock()
  let [own, other] = [200, 0]
  const rebalancer = new Rebalancer({
    others: () => others(other),
    tunnels: () => own,
    move: count => {
      own -= count
      other += count
      return count
    },
    clock,
    log: silentLogger,
  })
  clock.advance(2000)
  expect([own, other]).toEqual([196, 4])
  clock.advance(600_000)
  expect(own).toBeLessThanOrEqual(110)
  expect(own).toBeGreaterThanOrEqual(100)
  expect(rebalancer.asked).toBe(other)
  rebalancer.stop()
  expect(clock.pendingTimers).toBe(0)
})
