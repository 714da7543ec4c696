import { expect, it } from 'vitest'
import { SimulatedPool } from '../../../../test/support/harness/simulated-pool.ts'
import { asServiceId } from '../../../common/ids/row-ids.ts'
import { noDecisions } from '../../../common/service-decisions.ts'
import type { DirectoryService } from '../../../routes/directory.ts'
import { resolveServicePolicy } from '../../../routes/options/service-policy.ts'
import { subsetsOf } from '../../../telephones/subsets/service-subsets.ts'
import type { PolicyState } from './policy-state.ts'
import { processRows } from './process-rows.ts'

const OUTLIER = { consecutive: 5, ejectMs: 10_000, maxEjectMs: 300_000, maxEjectedPercent: 50 }

function setUp(policy: object = {}) {
  const resolved = resolveServicePolicy(policy).policy
  const service: DirectoryService = { id: asServiceId('id-web'), name: 'web', policy: resolved }
  const pool = new SimulatedPool(resolved)
  let state: PolicyState | undefined
  const rows = () =>
    processRows(service, {
      replicaId: 'r1',
      picker: pool.picker,
      policyState: () => state,
      clock: pool.clock,
    })
  const connect = (name: string, ms: number, more: object = {}) =>
    pool.connect({ name, respond: () => ({ ms }), ...more })
  const rowOf = (name: string) => rows().processes.find(({ telephone }) => telephone === name)
  const use = (next: PolicyState): void => {
    state = next
  }
  return { pool, service, rows, rowOf, connect, use }
}

it('lists each process with its response time, its cost, and its share of the last minute', () => {
  const { pool, rows, rowOf, connect } = setUp({ balancing: 'round_robin' })
  connect('fast', 10)
  connect('slow', 40, { weight: 50, tunnels: 2 })
  pool.run(30_000, 20)
  const { streams, medianMs, picks } = rows().service
  expect([streams, medianMs, picks[0]?.refusal]).toEqual([expect.any(Number), 10, null])
  const [fast, slow] = [rowOf('fast')!, rowOf('slow')!]
  expect([fast.responseMs, slow.responseMs, fast.lines, slow.lines]).toEqual([10, 40, 1, 2])
  expect(fast.sharePercent).toBeGreaterThan(65)
  expect(fast.sharePercent + slow.sharePercent).toBeCloseTo(100)
  // The weight of the slow one is half as large.
  expect(slow.costMs).toBeGreaterThan(2 * (fast.costMs ?? 0))
  expect([slow.effectiveWeight, slow.slowStartPercent, slow.errors]).toEqual([50, null, 0])
  pool.clock.advance(120_000)
  expect(rowOf('fast')).toMatchObject({ requests: 0, sharePercent: 0, state: 'serving', ejection: null })
})

it('names the state of each process', () => {
  const { pool, rows, rowOf, connect } = setUp({ balancing: 'round_robin', outlier: OUTLIER })
  for (const name of ['a', 'b', 'failing', 'away', 'empty']) connect(name, 1)
  connect('failing', 1, { respond: () => ({ ms: 1, status: 503 }) })
  pool.run(2000, 100)
  pool.announce('away', { health: 'down' })
  pool.announce('empty', { weight: 0 })
  expect(Object.fromEntries(rows().processes.map(({ telephone, state }) => [telephone, state]))).toEqual({
    a: 'serving',
    b: 'serving',
    failing: 'ejected',
    away: 'down',
    empty: 'draining',
  })
  expect(rowOf('failing')!.ejection).toMatchObject({
    state: 'ejected',
    reason: 'consecutive_failures',
    failures: expect.arrayContaining([expect.objectContaining({ failure: '503' })]),
  })
  pool.clock.advance(10_000)
  expect(rowOf('failing')!.state).toBe('half_open')
})

it('lists a process that has disconnected until its last stream has ended', () => {
  const { pool, rowOf, connect } = setUp()
  connect('a', 1000)
  pool.request()
  pool.dropTunnel('a', 0)
  expect(rowOf('a')).toMatchObject({ state: 'draining', streams: 1, lines: 0 })
  pool.clock.advance(1000)
  expect(rowOf('a')).toBeUndefined()
})

it('shows the progress of a slow start', () => {
  const { pool, rowOf, connect } = setUp({ slowStartMs: 10_000 })
  connect('a', 1)
  pool.clock.advance(5000)
  expect(rowOf('a')).toMatchObject({ slowStartPercent: 55, effectiveWeight: 55 })
  pool.clock.advance(5000)
  expect(rowOf('a')).toMatchObject({ slowStartPercent: null, effectiveWeight: 100 })
})

it.each(['round_robin', 'peak_ewma', 'least_streams'])(
  'names the next process by %s, and does not change later choices',
  balancing => {
    const { pool, rows, connect } = setUp({ balancing })
    for (const [name, weight] of [
      ['a', 100],
      ['b', 70],
      ['c', 30],
    ] as const)
      connect(name, 5, { weight })
    for (let count = 0; count < 40; count += 1) {
      const [first, again] = [rows().service.picks[0], rows().service.picks[0]]
      expect(again).toEqual(first)
      expect(pool.request()).toBe(first!.telephone)
      pool.clock.advance(3)
    }
  },
)

it('explains why no process takes a request', () => {
  const { pool, rows, connect } = setUp()
  expect(rows().service.picks).toEqual([
    { subset: null, telephone: null, instance: null, refusal: 'no_telephone' },
  ])
  connect('a', 1)
  pool.announce('a', { health: 'down' })
  expect(rows().service.picks[0]?.refusal).toBe('service_unhealthy')
})

it('shows a subset that its guard has stopped, with the errors of both sides', () => {
  const guard = { maxErrorPercent: 5, minRequests: 20 }
  const { pool, service, rows, rowOf, connect } = setUp({
    balancing: 'round_robin',
    outlier: false,
    subsets: [{ name: 'canary', select: { version: '2' }, percent: 50, guard }],
  })
  connect('old', 1)
  connect('new', 1, { version: '2', respond: () => ({ ms: 1, status: 500 }) })
  const subsets = subsetsOf(service.policy, service.id)!
  let turn = 0
  pool.subsetOf = () => {
    turn += 1
    return { subsets, subset: turn % 2 === 0 ? subsets.list[0] : undefined, pinned: false, fraction: 0.9 }
  }
  pool.run(100, 10)
  expect(rows().service.subsets).toMatchObject([
    { state: 'serving', stops: 0, since: null, currentPercent: 50 },
  ])
  pool.run(2000, 50)
  expect(rows().service.subsets).toMatchObject([
    {
      subset: 'canary',
      state: 'stopped',
      percent: 50,
      currentPercent: 0,
      stops: 1,
      atStop: { errorPercent: 100, restErrorPercent: 0 },
    },
  ])
  const [canary, others] = rows().service.sides
  expect(canary).toMatchObject({ subset: 'canary', processes: 1, p95Ms: expect.any(Number) })
  expect(canary!.errors).toBe(canary!.requests)
  expect(others).toMatchObject({ subset: null, processes: 1, errors: 0 })
  expect(others!.p95Ms).toBeGreaterThanOrEqual(0.8)
  expect(others!.p95Ms).toBeLessThan(1.2)
  // The pick of the stopped subset is a process of the rest.
  expect(rows().service.picks.map(({ subset, telephone }) => [subset, telephone])).toEqual([
    [null, 'old'],
    ['canary', 'old'],
  ])
  expect(rowOf('new')!.errors).toBeGreaterThan(19)
  pool.clock.advance(60_000)
  expect(rows().service.subsets).toMatchObject([{ state: 'reduced', currentPercent: 25, until: null }])
})

it('shows the breaker, the waiting requests and the decisions of the public port', () => {
  const { pool, service, rows, use } = setUp({ breaker: {} })
  const { id } = service
  const decisions = { ...noDecisions(), queueWaits: 2, queueWaitMs: 30.4 }
  expect(rows().service).toMatchObject({ breaker: null, waiting: { queue: 0, hold: 0 } })
  use({
    breakerOf: asked =>
      asked === id ? { state: 'open', changedAtMs: 0, untilMs: 5000, requests: 20, errors: 15 } : undefined,
    openBreakers: () => [],
    waitingOf: () => ({ queue: 3, hold: 1 }),
    decisionsOf: () => decisions,
  })
  const at = (ms: number) => new Date(pool.clock.wallTime() - pool.clock.now() + ms).toISOString()
  expect(rows().service).toMatchObject({
    breaker: { state: 'open', since: at(0), until: at(5000), errorPercent: 75, requests: 20 },
    waiting: { queue: 3, hold: 1 },
    decisions: { queueWaits: 2, queueWaitMs: 30, retries: { refused: 0, status: 0 } },
  })
})
