import type { Timer } from '@vera-stack/shared/clock.ts'
import { expect, it, onTestFinished } from 'vitest'
import { makeLine } from '../../../test/support/harness/registry-cluster.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import { NOWHERE, ShardWriterState } from '../documents/shard-writer-state.ts'
import { newIncarnation } from '../incarnation.ts'
import { asTunnelId } from '../line-ids.ts'
import { Registry } from '../registry.ts'
import { RegistryFollower } from './registry-follower.ts'

const KEEP_MS = 60_000
const [older, incarnation, newer] = [1000, 2000, 2000].map((atMs, i) =>
  newIncarnation(atMs, () => i / 3),
) as [string, string, string]

/** As on a machine: the clock moves on from one read to the next, and a timer fires a little before its time. */
class MovingClock extends ManualClock {
  static readonly READ_MS = 0.03
  static readonly EARLY_MS = 3
  #reads = 0

  override now(): number {
    this.#reads += 1
    return super.now() + this.#reads * MovingClock.READ_MS
  }

  override after(delayMs: number, task: () => void): Timer {
    return super.after(delayMs - MovingClock.EARLY_MS, task)
  }
}

function setUp(clock = new ManualClock()) {
  const registry = new Registry()
  const follower = new RegistryFollower({ registry, replicaId: asReplicaId('me'), clock, keepMs: KEEP_MS })
  onTestFinished(() => {
    follower.close()
    expect(clock.pendingTimers).toBe(0)
    expect(listed().filter(id => !id.startsWith('mine'))).toEqual([])
  })
  const listed = (): string[] => [...registry.lines()].map(line => line.id)
  let shards = 0
  /** Applies the first update of another shard of a replica, as an exchange does. */
  const replicate = (asIncarnation: string, tunnel: string, replicaId = 'r1'): void => {
    const shard = new ShardWriterState(shards++)
    shard.set(makeLine(replicaId, tunnel, 'web'))
    shard.flush()
    const attached = follower.attach(asReplicaId(replicaId), asIncarnation)
    attached.current()?.apply(shard.index, { ...shard.position, ...shard.updateSince(NOWHERE) })
    attached.release()
  }
  return { clock, registry, follower, listed, replicate }
}

it('shows lines while the lease is fresh, and again after a renewal', () => {
  const { clock, follower, listed, replicate } = setUp()
  replicate(incarnation, 't1')
  expect(listed()).toEqual([])
  follower.renewLease(asReplicaId('r1'), incarnation, clock.now() + 3000)
  expect(listed()).toEqual(['t1/web'])
  clock.advance(2999)
  follower.renewLease(asReplicaId('r1'), incarnation, clock.now() - 500)
  expect(listed()).toEqual(['t1/web'])
  clock.advance(1)
  expect(listed()).toEqual([])
  expect(follower.replicas()).toMatchObject([
    { replicaId: 'r1', incarnation, shown: false, leaseMs: 0, lineCount: 1 },
  ])
  follower.renewLease(asReplicaId('r1'), incarnation, clock.now() + 3000)
  expect(listed()).toEqual(['t1/web'])
})

it('hides lines at the end of their lease when the clock moves between two reads and timers fire early', () => {
  for (let offset = 0; offset < 40; offset += 1) {
    const { clock, follower, listed, replicate } = setUp(new MovingClock())
    replicate(incarnation, 'dead', 'r1')
    replicate(incarnation, 'alive', 'r2')
    follower.renewLease(asReplicaId('r2'), incarnation, clock.now() + 5000)
    follower.renewLease(
      asReplicaId('r1'),
      incarnation,
      clock.now() + 3000 + (offset * MovingClock.READ_MS) / 4,
    )
    clock.advance(3001)
    expect(listed(), `offset ${offset}`).toEqual(['alive/web'])
  }
})

it('removes lines at once when the lease is ended', () => {
  const { clock, follower, listed, replicate } = setUp()
  replicate(incarnation, 't1')
  follower.renewLease(asReplicaId('r1'), incarnation, clock.now() + 3000)
  follower.endLease(asReplicaId('r1'), older)
  expect(listed()).toEqual(['t1/web'])
  follower.endLease(asReplicaId('r1'), incarnation)
  expect(listed()).toEqual([])
})

it('replaces the state of an older incarnation with a newer one, and not the reverse', () => {
  const { clock, follower, listed, replicate } = setUp()
  replicate(incarnation, 't1')
  follower.renewLease(asReplicaId('r1'), incarnation, clock.now() + 3000)
  expect(follower.renewLease(asReplicaId('r1'), newer, clock.now() + 3000)).toBe(true)
  expect(listed()).toEqual([])
  replicate(newer, 't2')
  replicate(incarnation, 't3')
  replicate(older, 't4')
  expect(follower.renewLease(asReplicaId('r1'), incarnation, clock.now() + 9000)).toBe(false)
  expect(listed()).toEqual(['t2/web'])
  clock.advance(3000)
  expect(listed()).toEqual([])
})

it('accepts an older incarnation when the newer one is dead, because a clock may be set back', () => {
  const { clock, follower, listed, replicate } = setUp()
  replicate(incarnation, 't1')
  follower.renewLease(asReplicaId('r1'), incarnation, clock.now() + 3000)
  const link = follower.attach(asReplicaId('r1'), incarnation)
  clock.advance(3000)
  expect(follower.renewLease(asReplicaId('r1'), older, clock.now() + 3000)).toBe(false)
  link.release()
  expect(follower.renewLease(asReplicaId('r1'), older, clock.now() + 3000)).toBe(true)
  expect(listed()).toEqual([])
  replicate(older, 't2')
  expect(listed()).toEqual(['t2/web'])
})

it('ends an older incarnation at a document of a newer one, whose lines need their own lease', () => {
  const { clock, follower, listed, replicate } = setUp()
  replicate(older, 't1')
  follower.renewLease(asReplicaId('r1'), older, clock.now() + 3000)
  replicate(incarnation, 't2')
  expect(listed()).toEqual([])
  follower.renewLease(asReplicaId('r1'), incarnation, clock.now() + 3000)
  expect(listed()).toEqual(['t2/web'])
})

it('removes documents, and the order of incarnations, some time after the end of lease and link', () => {
  const { clock, follower, replicate } = setUp()
  replicate(incarnation, 't1')
  follower.renewLease(asReplicaId('r1'), incarnation, clock.now() + 3000)
  const link = follower.attach(asReplicaId('r1'), incarnation)
  clock.advance(3000 + KEEP_MS)
  expect(link.current()?.lineCount).toBe(1)
  link.release()
  clock.advance(KEEP_MS)
  expect(follower.replicas()).toEqual([])
  expect(link.current()).toBeUndefined()
  expect(follower.renewLease(asReplicaId('r1'), older, clock.now() + 1)).toBe(true)
})

it('accepts no lease and no document for our own id', () => {
  const { clock, follower, listed, replicate } = setUp()
  replicate(newer, 't1', 'me')
  expect(follower.renewLease(asReplicaId('me'), newer, clock.now() + 3000)).toBe(false)
  expect(listed()).toEqual([])
})

it('does not let one replica take over or remove a line of another one', () => {
  const { clock, registry, follower, listed, replicate } = setUp()
  registry.replace(asTunnelId('mine'), [makeLine('me', 'mine', 'web')])
  for (const id of ['r1', 'r2']) follower.renewLease(asReplicaId(id), incarnation, clock.now() + 3000)
  replicate(incarnation, 't1', 'r1')
  replicate(incarnation, 't1', 'r2')
  replicate(incarnation, 'mine', 'r1')
  expect([...registry.lines()].map(line => line.replicaId)).toEqual(['me', 'r1'])
  expect(follower.replicas()).toMatchObject([
    { replicaId: 'r1', refusedLines: 1 },
    { replicaId: 'r2', refusedLines: 1 },
  ])
  follower.endLease(asReplicaId('r2'), incarnation)
  expect(listed()).toEqual(['mine/web', 't1/web'])
})
