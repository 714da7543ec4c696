import { expect, it } from 'vitest'
import { SimulatedPool } from '../../../test/support/harness/simulated-pool.ts'
import { processState } from '../inspection/process-state.ts'
import type { PickPolicy } from '../picker/pick-request.ts'

function setUp(policy: Partial<PickPolicy> = {}, names: readonly string[] = ['a', 'b', 'c']) {
  const pool = new SimulatedPool({ balancing: 'round_robin', ...policy })
  for (const name of names) pool.connect({ name, respond: () => ({ ms: 1 }) })
  const { overrides } = pool
  /** Sends requests one after the other. Returns the number of each process. */
  const shares = (count = 60) => {
    const taken: Record<string, number> = {}
    for (let sent = 0; sent < count; sent += 1) {
      const name = pool.request()
      taken[name] = (taken[name] ?? 0) + 1
      pool.clock.advance(2)
    }
    return taken
  }
  const stateOf = (name: string) => {
    const process = pool.picker.pools.get('web')?.processes.find(({ telephone }) => telephone === name)
    return process && processState(process)
  }
  return { pool, overrides, shares, stateOf }
}

const POLICIES = ['peak_ewma', 'least_streams', 'round_robin', 'random', 'hash'] as const

it.each(POLICIES)(
  'a drained process gets no request, and all of them after its resumption: %s',
  balancing => {
    const { overrides, shares, stateOf } = setUp({ balancing })
    overrides.set('b', { weight: 0 })
    expect(shares().b).toBeUndefined()
    expect(stateOf('b')).toBe('draining')
    overrides.set('b', undefined)
    expect(stateOf('b')).toBe('serving')
    expect(shares(300).b).toBeGreaterThan(40)
  },
)

it.each(POLICIES)('an ejected process gets no request until its time is over: %s', balancing => {
  const { pool, overrides, shares, stateOf } = setUp({ balancing })
  overrides.set('b', { ejectedUntilMs: pool.clock.wallTime() + 3000 })
  expect(shares().b).toBeUndefined()
  expect(stateOf('b')).toBe('ejected')
  pool.clock.advance(3000)
  expect(stateOf('b')).toBe('serving')
  expect(shares(300).b).toBeGreaterThan(40)
})

it('the weight of an override replaces the announced weight, and later announcements do not change it', () => {
  const { pool, overrides, shares } = setUp({}, ['a', 'b'])
  overrides.set('b', { weight: 25 })
  expect(shares(100)).toEqual({ a: 80, b: 20 })
  pool.announce('b', { weight: 100 })
  expect(shares(100)).toEqual({ a: 80, b: 20 })
  overrides.set('b', undefined)
  expect(shares(100)).toEqual({ a: 50, b: 50 })
})

it('an ejected process gets requests while no other process takes them', () => {
  const { pool, overrides, shares } = setUp({}, ['a', 'b'])
  overrides.set('b', { ejectedUntilMs: pool.clock.wallTime() + 60_000 })
  pool.dropTunnel('a', 0)
  expect(shares(10)).toEqual({ b: 10 })
  pool.connect({ name: 'a', respond: () => ({ ms: 1 }) })
  expect(shares(10)).toEqual({ a: 10 })
})

it('requests of a service whose processes are all drained name the operator as the reason', () => {
  const { pool, overrides } = setUp({}, ['a'])
  overrides.set('a', { weight: 0 })
  expect(() => pool.request()).toThrow('no_telephone')
  expect(pool.picker.explain('web', 'no_telephone').detail).toContain('plugboard process resume web a')
})

it('an override applies to a process that loses its tunnels and connects again', () => {
  const { pool, overrides, shares, stateOf } = setUp()
  overrides.set('b', { weight: 0 })
  overrides.set('c', { ejectedUntilMs: pool.clock.wallTime() + 60_000 })
  pool.dropTunnel('b', 0)
  pool.dropTunnel('c', 0)
  pool.connect({ name: 'b', respond: () => ({ ms: 1 }) })
  pool.connect({ name: 'c', respond: () => ({ ms: 1 }) })
  expect([stateOf('b'), stateOf('c')]).toEqual(['draining', 'ejected'])
  expect(shares()).toEqual({ a: 60 })
})

it('an ejection that is far in the future does not end early', () => {
  const { pool, overrides, stateOf } = setUp()
  overrides.set('b', { ejectedUntilMs: pool.clock.wallTime() + 100 * 86_400_000 })
  pool.clock.advance(30 * 86_400_000)
  expect(stateOf('b')).toBe('ejected')
})

it('a listener of lines is called when a process may take requests again', () => {
  const { pool, overrides } = setUp()
  let calls = 0
  const end = pool.picker.whenLinesChange(() => {
    calls += 1
  })
  overrides.set('b', { ejectedUntilMs: pool.clock.wallTime() + 1000 })
  const before = calls
  pool.clock.advance(1000)
  expect(calls).toBe(before + 1)
  end()
  overrides.set('b', undefined)
  expect(calls).toBe(before + 1)
})

it('no timer is left after the picker is closed', () => {
  const { pool, overrides, stateOf } = setUp()
  overrides.set('b', { ejectedUntilMs: pool.clock.wallTime() + 1000 })
  pool.picker.close()
  pool.clock.advance(5000)
  expect(stateOf('b')).toBe('ejected')
})
