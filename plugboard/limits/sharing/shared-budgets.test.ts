// Three replicas with one limit of 100 requests per second, in simulated time. T7 of the acceptance tests of traffic policy.

import { describe, expect, it, test } from 'vitest'
import {
  LimitCluster,
  type LimitClusterOptions,
  type Offer,
} from '../../../test/support/harness/limit-cluster.ts'
import { seededRandom } from '../../../test/support/seeded-random.ts'

const LIMIT = 100
const RUN_SECONDS = 200
const RUN_MS = RUN_SECONDS * 1000

const offers = (...perSecond: number[]): Offer[] =>
  perSecond.flatMap((rate, replica) => (rate === 0 ? [] : [{ replica, perSecond: rate }]))

const cluster = (more: Partial<LimitClusterOptions> = {}): LimitCluster =>
  new LimitCluster({ replicas: 3, rule: { limit: LIMIT, windowSeconds: 1 }, ...more })

const losing = (share: number): (() => boolean) => {
  const random = seededRandom(7)
  return () => random() < share
}

describe.each([
  ['all messages arrive', undefined],
  ['10 % of the messages are lost', 0.1],
] as const)('three replicas, offered three times the limit, %s', (_, lost) => {
  test.each([
    ['evenly', [100, 100, 100]],
    ['70/20/10', [210, 60, 30]],
    ['all on one replica', [300, 0, 0]],
  ])('admit the limit within 1 %%, %s', (__, rates) => {
    const replicas = cluster(lost === undefined ? {} : { loses: losing(lost) })
    const admitted = replicas.run(RUN_MS, offers(...rates))
    expect(admitted / (LIMIT * RUN_SECONDS)).toBeGreaterThan(0.99)
    expect(admitted / (LIMIT * RUN_SECONDS)).toBeLessThan(1.01)
    // The limit, one burst, and the requests that come while the counts of the other replicas are on their way.
    expect(replicas.worstWindow(1000)).toBeLessThanOrEqual(
      2 * LIMIT * 1.05 + (lost === undefined ? 0 : LIMIT),
    )
  })

  test.each([
    ['evenly', [95 / 3, 95 / 3, 95 / 3]],
    ['70/20/10', [66.5, 19, 9.5]],
    ['all on one replica', [95, 0, 0]],
  ])('reject no request at 95 %% of the limit, %s', (__, rates) => {
    const replicas = cluster(lost === undefined ? {} : { loses: losing(lost) })
    replicas.run(RUN_MS, offers(...rates))
    expect(replicas.rejected).toBe(0)
  })
})

it('admits an attacker who sends to all replicas at the same moment the limit and three bursts in a window', () => {
  const replicas = new LimitCluster({ replicas: 3, rule: { limit: 10, windowSeconds: 1 } })
  const attack = [0, 1, 2].map(replica => ({ replica, perSecond: 100, atOnce: 100, client: '203.0.113.9' }))
  const admitted = replicas.run(RUN_MS, attack)
  expect(replicas.worstWindow(1000)).toBeLessThanOrEqual(10 + 3 * 10)
  // The debt of each moment is paid back, so the average stays the limit.
  expect(admitted).toBeLessThanOrEqual(10 * RUN_SECONDS * 1.01 + 3 * 10)
})

it('keeps the average when an interval has more requests than the burst', () => {
  const replicas = cluster({ rule: { limit: LIMIT, windowSeconds: 1, burst: 1 } })
  const admitted = replicas.run(RUN_MS, offers(100, 100, 100))
  expect(admitted / (LIMIT * RUN_SECONDS)).toBeLessThan(1.01)
})

it('counts separately while the replicas are apart, and then demands a debt of at most two bursts', () => {
  const replicas = cluster()
  const load = offers(100, 100, 100)
  replicas.run(20_000, load)
  replicas.partition()
  const apart = replicas.run(20_000, load)
  expect(apart).toBeGreaterThan(2.8 * 20 * LIMIT)
  replicas.heal()
  // 2 bursts of debt take 2 s, and the requests of the last 300 ms count beyond that.
  const paid = replicas.run(3000, load)
  expect(paid).toBeGreaterThan(0)
  expect(paid).toBeLessThan(1.5 * LIMIT)
  const admitted = replicas.run(RUN_MS, load)
  expect(Math.abs(admitted / (LIMIT * RUN_SECONDS) - 1)).toBeLessThan(0.01)
})

it('forgets the requests of an interruption whose quota is restored', () => {
  const replicas = cluster()
  replicas.run(1000, offers(10, 0, 0))
  replicas.partition()
  replicas.run(60_000, offers(90, 0, 0))
  replicas.run(60_000, [])
  replicas.heal()
  // The 5,400 requests of the interruption are reported with this one.
  replicas.run(500, offers(2, 0, 0))
  expect(replicas.run(500, [{ replica: 1, perSecond: 95, atOnce: 95 }])).toBe(95)
})

it('admits the limit when a replica is killed, and when it starts again without its counts', () => {
  const replicas = cluster()
  const first = replicas.run(RUN_MS, offers(100, 100, 100))
  replicas.kill(2)
  const second = replicas.run(RUN_MS, offers(150, 150, 0))
  replicas.restart(2)
  const third = replicas.run(RUN_MS, offers(100, 100, 100))
  for (const admitted of [first, second, third])
    expect(Math.abs(admitted / (LIMIT * RUN_SECONDS) - 1)).toBeLessThan(0.01)
  expect(replicas.worstWindow(1000)).toBeLessThanOrEqual(LIMIT + 3 * LIMIT)
})

it('gives a started replica the counts of the others, also of keys that only they have', () => {
  const replicas = new LimitCluster({ replicas: 3, rule: { limit: 10, windowSeconds: 3600 } })
  replicas.run(100, [{ replica: 0, perSecond: 100, atOnce: 10 }])
  replicas.run(500, [])
  replicas.kill(0)
  replicas.restart(2)
  replicas.run(500, [])
  expect(replicas.run(500, [{ replica: 2, perSecond: 10, atOnce: 5 }])).toBe(0)
})
