import { expect, it, onTestFinished } from 'vitest'
import { makeLine } from '../../../test/support/harness/registry-cluster.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import { ShardReplica } from '../documents/shard-replica.ts'
import { NOWHERE, type ShardWriterState } from '../documents/shard-writer-state.ts'
import { newIncarnation } from '../incarnation.ts'
import { asTunnelId } from '../line-ids.ts'
import { Registry } from '../registry.ts'
import { SharedStrings } from '../wire/packed-line.ts'
import { RegistryOwner } from './registry-owner.ts'

function setUp(registry = new Registry()) {
  const deferred: (() => void)[] = []
  const defer = (task: () => void): void => void deferred.push(task)
  const owner = new RegistryOwner({
    registry,
    replicaId: asReplicaId('me'),
    incarnation: newIncarnation(1000, () => 0),
    defer,
  })
  onTestFinished(() => owner.close())
  const flushes: ShardWriterState[][] = []
  owner.subscribe(changed => flushes.push([...changed]))
  const turn = (): void => {
    for (const task of deferred.splice(0)) task()
  }
  /** Returns the number of lines that a reader of all shards gets. */
  const lineCount = (): number =>
    owner
      .shards()
      .map(shard => {
        const copy = new ShardReplica(asReplicaId('me'), new SharedStrings())
        copy.apply({ ...shard.position, ...shard.updateSince(NOWHERE) })
        return copy.lines().length
      })
      .reduce((sum, count) => sum + count, 0)
  return { registry, owner, deferred, flushes, turn, lineCount }
}

it('starts with the lines that are in the registry', () => {
  const registry = new Registry()
  registry.replace(asTunnelId('t1'), [makeLine('me', 't1', 'web'), makeLine('me', 't1', 'api')])
  const { turn, lineCount } = setUp(registry)
  turn()
  expect(lineCount()).toBe(2)
})

it('never advertises a line of another replica', () => {
  const { registry, deferred, turn, lineCount } = setUp()
  const theirs = makeLine('r2', 't2', 'web')
  registry.putRemote(theirs)
  registry.putRemote({ ...theirs, weight: 1 })
  registry.removeRemote(theirs)
  expect(deferred).toEqual([])
  registry.putRemote(theirs)
  registry.replace(asTunnelId('t1'), [makeLine('me', 't1', 'web')])
  turn()
  expect(lineCount()).toBe(1)
})

it('writes all changes of a turn as one update of a shard, and notifies once', () => {
  const { registry, deferred, flushes, turn } = setUp()
  for (let weight = 0; weight < 10; weight += 1)
    registry.replace(asTunnelId('t1'), [makeLine('me', 't1', 'web', { weight })])
  expect(deferred).toHaveLength(1)
  turn()
  expect(flushes).toHaveLength(1)
  expect(flushes[0]?.[0]?.position).toEqual({ epoch: 1, seq: 1, clock: 1 })
})

it('spreads thousands of changes over several turns', () => {
  const { registry, deferred, flushes, turn, lineCount } = setUp()
  for (let i = 0; i < 10_000; i += 1) registry.replace(asTunnelId(`t${i}`), [makeLine('me', `t${i}`, 'web')])
  turn()
  expect(lineCount()).toBeLessThan(3000)
  while (deferred.length > 0) turn()
  expect(lineCount()).toBe(10_000)
  expect(flushes.length).toBeGreaterThan(4)
})

it('writes no updates after close', () => {
  const { registry, owner, flushes, turn } = setUp()
  registry.replace(asTunnelId('t1'), [makeLine('me', 't1', 'web')])
  owner.close()
  registry.replace(asTunnelId('t2'), [makeLine('me', 't2', 'web')])
  turn()
  expect(flushes).toEqual([])
})
