import { expect, it } from 'vitest'
import { type Line, lineId } from './line.ts'
import { Registry } from './registry.ts'

function line(tunnelId: string, service: string, more: Partial<Line> = {}): Line {
  return {
    id: lineId(tunnelId, service),
    replicaId: 'r1',
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

it('replaces a tunnel by its whole set and says only what changed', () => {
  const registry = new Registry()
  const seen = recorded(registry)
  registry.replace('t1', [line('t1', 'web'), line('t1', 'api')])
  registry.replace('t1', [line('t1', 'web'), line('t1', 'api')])
  registry.replace('t1', [line('t1', 'api', { weight: 5 }), line('t1', 'db')])
  registry.replace('t1', [])
  expect(seen).toEqual(['+t1/web', '+t1/api', '-t1/web', '~t1/api 100→5', '+t1/db', '-t1/api', '-t1/db'])
  expect([...registry.lines()]).toEqual([])
})

it('sees a changed label', () => {
  const registry = new Registry()
  registry.replace('t1', [line('t1', 'web', { labels: { zone: 'a' } })])
  const seen = recorded(registry)
  registry.replace('t1', [line('t1', 'web', { labels: { zone: 'a' } })])
  registry.replace('t1', [line('t1', 'web', { labels: { zone: 'b' } })])
  expect(seen).toHaveLength(1)
})

it('gathers the lines of a service from all tunnels', () => {
  const registry = new Registry()
  registry.replace('t1', [line('t1', 'web')])
  registry.replace('t2', [line('t2', 'web', { replicaId: 'r2' })])
  expect([...registry.linesOf('web')].map(each => each.tunnelId)).toEqual(['t1', 't2'])
  registry.replace('t1', [])
  expect([...registry.linesOf('web')].map(each => each.tunnelId)).toEqual(['t2'])
  expect([...registry.linesOf('other')]).toEqual([])
})

it('stops telling after unsubscribe', () => {
  const registry = new Registry()
  let told = 0
  const unsubscribe = registry.subscribe({ lineAdded: () => (told += 1) })
  unsubscribe()
  registry.replace('t1', [line('t1', 'web')])
  expect(told).toBe(0)
})
