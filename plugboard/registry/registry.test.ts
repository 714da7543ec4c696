import { expect, it } from 'vitest'
import { asReplicaId } from '../common/ids/replica-id.ts'
import type { Line } from './line.ts'
import { asTunnelId, lineId } from './line-ids.ts'
import { Registry } from './registry.ts'

function line(tunnel: string, service: string, more: Partial<Line> = {}): Line {
  const tunnelId = asTunnelId(tunnel)
  return {
    id: lineId(tunnelId, service),
    replicaId: asReplicaId('r1'),
    tunnelId,
    service,
    telephone: 'laptop',
    instance: 'i1',
    health: 'up',
    weight: 100,
    version: '',
    labels: {},
    ...more,
  }
}

function recorded(registry: Registry): string[] {
  const seen: string[] = []
  registry.subscribe({
    lineAdded: added => seen.push(`+${added.id}`),
    lineChanged: (changed, before) => seen.push(`~${changed.id} ${before.weight}→${changed.weight}`),
    lineRemoved: removed => seen.push(`-${removed.id}`),
  })
  return seen
}

it('replaces the complete set of a tunnel and notifies only about changes', () => {
  const registry = new Registry()
  const seen = recorded(registry)
  registry.replace(asTunnelId('t1'), [line('t1', 'web'), line('t1', 'api')])
  registry.replace(asTunnelId('t1'), [line('t1', 'web'), line('t1', 'api')])
  registry.replace(asTunnelId('t1'), [line('t1', 'api', { weight: 5 }), line('t1', 'db')])
  registry.replace(asTunnelId('t1'), [])
  expect(seen).toEqual(['+t1/web', '+t1/api', '-t1/web', '~t1/api 100→5', '+t1/db', '-t1/api', '-t1/db'])
  expect([...registry.lines()]).toEqual([])
})

it('notifies about a changed label', () => {
  const registry = new Registry()
  registry.replace(asTunnelId('t1'), [line('t1', 'web', { labels: { zone: 'a' } })])
  const seen = recorded(registry)
  registry.replace(asTunnelId('t1'), [line('t1', 'web', { labels: { zone: 'a' } })])
  registry.replace(asTunnelId('t1'), [line('t1', 'web', { labels: { zone: 'b' } })])
  expect(seen).toHaveLength(1)
})

it('returns the lines of a service from all tunnels', () => {
  const registry = new Registry()
  registry.replace(asTunnelId('t1'), [line('t1', 'web')])
  registry.replace(asTunnelId('t2'), [line('t2', 'web', { replicaId: asReplicaId('r2') })])
  expect([...registry.linesOf('web')].map(each => each.tunnelId)).toEqual(['t1', 't2'])
  registry.replace(asTunnelId('t1'), [])
  expect([...registry.linesOf('web')].map(each => each.tunnelId)).toEqual(['t2'])
  expect([...registry.linesOf('other')]).toEqual([])
})

it('stops notifying after unsubscribe', () => {
  const registry = new Registry()
  let notified = 0
  const unsubscribe = registry.subscribe({ lineAdded: () => (notified += 1) })
  unsubscribe()
  registry.replace(asTunnelId('t1'), [line('t1', 'web')])
  expect(notified).toBe(0)
})
