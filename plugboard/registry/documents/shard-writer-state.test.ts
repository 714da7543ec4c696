import { expect, it } from 'vitest'
import { makeLine } from '../../../test/support/harness/registry-cluster.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import type { Line } from '../line.ts'
import { SharedStrings } from '../wire/packed-line.ts'
import { ShardReplica } from './shard-replica.ts'
import { NOWHERE, type ShardPosition, ShardWriterState } from './shard-writer-state.ts'

const strings = new SharedStrings()
const line = (tunnel: number, more: Partial<Line> = {}): Line => makeLine('r1', `t${tunnel}`, 'web', more)
const copyOf = (): ShardReplica => new ShardReplica(asReplicaId('r1'), strings)
const tunnels = (copy: ShardReplica): string[] => copy.lines().map(each => each.tunnelId)

function follow(
  shard: ShardWriterState,
  copy: ShardReplica,
  from: ShardPosition,
): ReturnType<ShardReplica['apply']> {
  return copy.apply({ ...shard.position, ...shard.updateSince(from) })
}

it('writes no update for a line that is added and removed in one turn, or that has not changed', () => {
  const shard = new ShardWriterState(0)
  shard.set(line(1))
  shard.delete(line(1).id)
  expect(shard.flush()).toBe(false)
  shard.set(line(1))
  expect(shard.flush()).toBe(true)
  shard.set(line(1))
  expect(shard.flush()).toBe(false)
})

it('updates a copy from any position to the same lines and digest', () => {
  const shard = new ShardWriterState(0)
  const positions: ShardPosition[] = [NOWHERE]
  const copies = [copyOf()]
  for (let turn = 0; turn < 6; turn += 1) {
    for (let tunnel = turn * 3; tunnel < turn * 3 + 5; tunnel += 1) shard.set(line(tunnel, { weight: turn }))
    shard.delete(line(turn * 2).id)
    shard.flush()
    const copy = copyOf()
    follow(shard, copy, NOWHERE)
    positions.push(shard.position)
    copies.push(copy)
  }
  const expected = tunnels(copies.at(-1)!).sort()
  for (const [index, copy] of copies.entries()) {
    follow(shard, copy, positions[index]!)
    expect(tunnels(copy).sort()).toEqual(expected)
    expect(copy.position).toEqual(shard.position)
    expect(copy.digest).toBe(shard.digest)
  }
})

it('is rebuilt under the next epoch after many operations, and a copy switches without a change of lines', () => {
  const shard = new ShardWriterState(0, { perLine: 2, floor: 10 })
  const copy = copyOf()
  let position = NOWHERE
  const kept = line(0)
  shard.set(kept)
  let rebuilds = 0
  for (let tunnel = 1; tunnel < 200; tunnel += 1) {
    shard.set(line(tunnel))
    shard.delete(line(tunnel - 1 || 9999).id)
    shard.flush()
    const before = copy.lines().find(each => each.id === kept.id)
    const changes = follow(shard, copy, position)
    if (shard.position.epoch > position.epoch) rebuilds += 1
    if (before) expect(copy.lines().find(each => each.id === kept.id)).toBe(before)
    if (tunnel > 2)
      expect(changes).toMatchObject({
        put: [{ id: line(tunnel).id }],
        removed: [{ id: line(tunnel - 1).id }],
      })
    expect(copy.stateBytes).toBeLessThan(1500)
    position = shard.position
  }
  expect(rebuilds).toBeGreaterThan(20)
  expect(tunnels(copy)).toEqual(['t0', 't199'])
})

it('reports an update that does not fit, and stays unchanged', () => {
  const shard = new ShardWriterState(0)
  const copy = copyOf()
  shard.set(line(1))
  shard.flush()
  const first = { ...shard.position, ...shard.updateSince(NOWHERE) }
  const { position } = shard
  shard.set(line(2))
  shard.flush()
  const second = { ...shard.position, ...shard.updateSince(position) }
  expect(copy.apply(second)).toBe('gap')
  expect(copy.position).toEqual(NOWHERE)
  expect(copy.apply(first)).toMatchObject({ put: [{ tunnelId: 't1' }] })
  expect(copy.apply(first)).toBe('stale')
  expect(copy.apply(second)).toMatchObject({ put: [{ tunnelId: 't2' }] })
})

it('changes a line in place, without a removal', () => {
  const shard = new ShardWriterState(0)
  const copy = copyOf()
  shard.set(line(1))
  shard.flush()
  follow(shard, copy, NOWHERE)
  const { position } = shard
  shard.set(line(1, { health: 'down' }))
  shard.flush()
  expect(follow(shard, copy, position)).toMatchObject({ removed: [], put: [{ health: 'down' }] })
})

it('leaves out a line that is too long for readers, and keeps the other lines of the shard', () => {
  const unfit: string[] = []
  const shard = new ShardWriterState(0, undefined, ({ tunnelId }) => unfit.push(tunnelId))
  const copy = copyOf()
  shard.set(line(1))
  shard.set(line(2))
  shard.flush()
  follow(shard, copy, NOWHERE)
  const labels = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, 'x'.repeat(250)]))
  const from = shard.position
  shard.set(line(2, { labels }))
  shard.set(line(3))
  shard.flush()
  follow(shard, copy, from)
  expect([tunnels(copy), unfit]).toEqual([['t1', 't3'], ['t2']])
  expect(copy.digest).toBe(shard.digest)
})
