import { beforeEach, expect, it } from 'vitest'
import { makeLine } from '../../../test/support/harness/registry-cluster.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { asTunnelId } from '../../registry/line-ids.ts'
import { Registry } from '../../registry/registry.ts'
import { ServiceHistory } from './service-history.ts'

let clock: ManualClock
let registry: Registry
let history: ServiceHistory
beforeEach(() => {
  clock = new ManualClock(0, 0)
  registry = new Registry()
  history = new ServiceHistory(registry, clock)
})

const up = makeLine('r1', 't1', 'web', { telephone: 'one' })
const down = { ...up, health: 'down' as const }

it('has no entry for a service that never had a line', () => {
  expect([history.isServed('web'), history.lastLineOf('web')]).toEqual([false, undefined])
})

it('records when the last usable line ended, and why its tunnel ended', () => {
  registry.replace(asTunnelId('t1'), [up])
  registry.replace(asTunnelId('t2'), [makeLine('r1', 't2', 'web')])
  expect(history.isServed('web')).toBe(true)
  clock.advance(1000)
  registry.replace(asTunnelId('t2'), [])
  expect([history.isServed('web'), history.lastLineOf('web')]).toEqual([true, undefined])
  clock.advance(1000)
  registry.replace(asTunnelId('t1'), [])
  clock.advance(10)
  history.tunnelEnded(asTunnelId('t2'), ['web'], 'going_away', 'not the last one')
  history.tunnelEnded(asTunnelId('t1'), ['web'], 'ping_timeout', 'silence')
  expect(history.lastLineOf('web')).toEqual({
    atMs: 2000,
    cause: 'disconnected',
    telephone: 'one',
    replicaId: 'r1',
    tunnelId: 't1',
    end: { reason: 'ping_timeout', detail: 'silence' },
  })
  registry.replace(asTunnelId('t1'), [up])
  expect(history.lastLineOf('web')).toBeUndefined()
})

it('records the time at which the line went down, and keeps it when the line ends', () => {
  registry.replace(asTunnelId('t1'), [up])
  clock.advance(1000)
  registry.replace(asTunnelId('t1'), [down])
  expect([history.isServed('web'), history.lastLineOf('web')]).toMatchObject([
    false,
    { atMs: 1000, cause: 'unhealthy' },
  ])
  clock.advance(1000)
  registry.replace(asTunnelId('t1'), [])
  expect(history.lastLineOf('web')).toMatchObject({ atMs: 1000, cause: 'disconnected' })
})

it('follows the lines of other replicas', () => {
  const remote = makeLine('r2', 't9', 'web')
  registry.putRemote(remote)
  expect(history.isServed('web')).toBe(true)
  registry.putRemote({ ...remote, weight: 0 })
  expect(history.lastLineOf('web')).toMatchObject({ cause: 'no_weight', replicaId: 'r2' })
  registry.putRemote(remote)
  registry.removeRemote(remote)
  expect(history.lastLineOf('web')).toMatchObject({ cause: 'disconnected', tunnelId: 't9' })
})

it('cuts the reason of a refusal to 500 characters', () => {
  history.refused('web', { telephone: 'one', code: 'forbidden', detail: 'x'.repeat(5000) })
  expect(history.refusalOf('web')?.detail).toBe(`${'x'.repeat(500)}…`)
})

it('removes a refusal when a line of the service is added', () => {
  history.refused('web', { telephone: 'one', code: 'forbidden', detail: 'no' })
  expect(history.refusalOf('web')).toMatchObject({ atMs: 0, telephone: 'one' })
  registry.replace(asTunnelId('t1'), [down])
  expect(history.refusalOf('web')).toBeUndefined()
})

it('keeps a bounded number of services', () => {
  for (let index = 0; index < 10_001; index += 1) {
    registry.replace(asTunnelId('t1'), [makeLine('r1', 't1', `s${index}`)])
  }
  registry.replace(asTunnelId('t1'), [])
  expect(history.lastLineOf('s0')).toBeUndefined()
  expect(history.lastLineOf('s10000')).toBeDefined()
})
