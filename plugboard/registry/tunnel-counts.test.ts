import fc from 'fast-check'
import { expect, it } from 'vitest'
import { asReplicaId } from '../common/ids/replica-id.ts'
import { TunnelCounts } from './tunnel-counts.ts'

it('adds the counts of other replicas to its own count until they are dropped', () => {
  const counts = new TunnelCounts()
  counts.add('a')
  counts.add('a')
  counts.setRemote(asReplicaId('r2'), 'a', 3)
  counts.setRemote(asReplicaId('r3'), 'a', 1)
  counts.setRemote(asReplicaId('r3'), 'b', 5)
  expect([counts.own('a'), counts.total('a'), counts.total('b'), counts.total('c')]).toEqual([2, 6, 5, 0])
  counts.setRemote(asReplicaId('r2'), 'a', 1)
  counts.remove('a')
  expect(counts.total('a')).toBe(3)
  counts.forgetRemote(asReplicaId('r3'))
  expect([counts.total('a'), counts.total('b')]).toEqual([2, 0])
})

it('reports each change of its own counts', () => {
  const counts = new TunnelCounts()
  const changed: string[] = []
  const unsubscribe = counts.subscribe(holder => changed.push(`${holder} ${counts.own(holder)}`))
  counts.add('a')
  counts.add('a')
  counts.setRemote(asReplicaId('r2'), 'b', 1)
  counts.remove('a')
  counts.remove('a')
  unsubscribe()
  counts.add('a')
  expect(changed).toEqual(['a 1', 'a 2', 'a 1', 'a 0'])
  expect([...counts.ownHolders()]).toEqual(['a'])
})

it('has the sum of the last report of each replica, in any order of reports', () => {
  const step = fc.record({
    replica: fc.constantFrom('r2', 'r3'),
    holder: fc.constantFrom('a', 'b'),
    count: fc.nat(3),
    forget: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), steps => {
      const counts = new TunnelCounts()
      const model = new Map<string, number>()
      for (const { replica, holder, count, forget } of steps) {
        if (forget) {
          counts.forgetRemote(asReplicaId(replica))
          for (const each of ['a', 'b']) model.delete(`${replica} ${each}`)
        } else {
          counts.setRemote(asReplicaId(replica), holder, count)
          model.set(`${replica} ${holder}`, count)
        }
        for (const each of ['a', 'b']) {
          const expected = ['r2', 'r3'].reduce((sum, from) => sum + (model.get(`${from} ${each}`) ?? 0), 0)
          expect(counts.total(each)).toBe(expected)
        }
      }
    }),
  )
})
