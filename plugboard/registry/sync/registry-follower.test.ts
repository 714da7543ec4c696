import { expect, it, onTestFinished } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { makeLine } from '../../../test/support/registry-cluster.ts'
import { asReplicaId } from '../../common/replica-id.ts'
import { newBoot } from '../boot.ts'
import { NOWHERE, OwnShard } from '../documents/own-shard.ts'
import { asTunnelId } from '../line-ids.ts'
import { Registry } from '../registry.ts'
import { RegistryFollower } from './registry-follower.ts'

const KEEP_MS = 60_000
const [oldBoot, boot, newerBoot] = [1000, 2000, 2000].map((atMs, i) => newBoot(atMs, () => i / 3)) as [
  string,
  string,
  string,
]

function setUp() {
  const clock = new ManualClock()
  const registry = new Registry()
  const follower = new RegistryFollower({ registry, replicaId: asReplicaId('me'), clock, keepMs: KEEP_MS })
  onTestFinished(() => {
    follower.close()
    expect(clock.pendingTimers).toBe(0)
    expect(listed().filter(id => !id.startsWith('mine'))).toEqual([])
  })
  const listed = (): string[] => [...registry.lines()].map(line => line.id)
  let shards = 0
  /** What an exchange does with the first update of yet another shard of a replica. */
  const tell = (asBoot: string, tunnel: string, replicaId = 'r1'): void => {
    const shard = new OwnShard(shards++)
    shard.set(makeLine(replicaId, tunnel, 'web'))
    shard.flush()
    const attached = follower.attach(asReplicaId(replicaId), asBoot)
    attached.current()?.apply(shard.index, { ...shard.position, ...shard.updateSince(NOWHERE) })
    attached.release()
  }
  return { clock, registry, follower, listed, tell }
}

it('lists lines from the lease on to its end, and again when it is renewed', () => {
  const { clock, follower, listed, tell } = setUp()
  tell(boot, 't1')
  expect(listed()).toEqual([])
  follower.renewLease(asReplicaId('r1'), boot, clock.now() + 3000)
  expect(listed()).toEqual(['t1/web'])
  clock.advance(2999)
  follower.renewLease(asReplicaId('r1'), boot, clock.now() - 500)
  expect(listed()).toEqual(['t1/web'])
  clock.advance(1)
  expect(listed()).toEqual([])
  expect(follower.replicas()).toMatchObject([
    { replicaId: 'r1', boot, shown: false, leaseMs: 0, lineCount: 1 },
  ])
  follower.renewLease(asReplicaId('r1'), boot, clock.now() + 3000)
  expect(listed()).toEqual(['t1/web'])
})

it('takes lines out at once when the replica says that it leaves', () => {
  const { clock, follower, listed, tell } = setUp()
  tell(boot, 't1')
  follower.renewLease(asReplicaId('r1'), boot, clock.now() + 3000)
  follower.endLease(asReplicaId('r1'), oldBoot)
  expect(listed()).toEqual(['t1/web'])
  follower.endLease(asReplicaId('r1'), boot)
  expect(listed()).toEqual([])
})

it('drops what an older boot said for a newer one, and never goes back', () => {
  const { clock, follower, listed, tell } = setUp()
  tell(boot, 't1')
  follower.renewLease(asReplicaId('r1'), boot, clock.now() + 3000)
  expect(follower.renewLease(asReplicaId('r1'), newerBoot, clock.now() + 3000)).toBe(true)
  expect(listed()).toEqual([])
  tell(newerBoot, 't2')
  tell(boot, 't3')
  tell(oldBoot, 't4')
  expect(follower.renewLease(asReplicaId('r1'), boot, clock.now() + 9000)).toBe(false)
  expect(listed()).toEqual(['t2/web'])
  clock.advance(3000)
  expect(listed()).toEqual([])
})

it('takes an older boot once the newer one is dead: a clock that was set back isolates nobody', () => {
  const { clock, follower, listed, tell } = setUp()
  tell(boot, 't1')
  follower.renewLease(asReplicaId('r1'), boot, clock.now() + 3000)
  const link = follower.attach(asReplicaId('r1'), boot)
  clock.advance(3000)
  expect(follower.renewLease(asReplicaId('r1'), oldBoot, clock.now() + 3000)).toBe(false)
  link.release()
  expect(follower.renewLease(asReplicaId('r1'), oldBoot, clock.now() + 3000)).toBe(true)
  expect(listed()).toEqual([])
  tell(oldBoot, 't2')
  expect(listed()).toEqual(['t2/web'])
})

it('a document of a newer boot ends the older one, and waits for a lease of its own', () => {
  const { clock, follower, listed, tell } = setUp()
  tell(oldBoot, 't1')
  follower.renewLease(asReplicaId('r1'), oldBoot, clock.now() + 3000)
  tell(boot, 't2')
  expect(listed()).toEqual([])
  follower.renewLease(asReplicaId('r1'), boot, clock.now() + 3000)
  expect(listed()).toEqual(['t2/web'])
})

it('forgets documents some time after lease and link are gone, the order of boots with them', () => {
  const { clock, follower, tell } = setUp()
  tell(boot, 't1')
  follower.renewLease(asReplicaId('r1'), boot, clock.now() + 3000)
  const link = follower.attach(asReplicaId('r1'), boot)
  clock.advance(3000 + KEEP_MS)
  expect(link.current()?.lineCount).toBe(1)
  link.release()
  clock.advance(KEEP_MS)
  expect(follower.replicas()).toEqual([])
  expect(link.current()).toBeUndefined()
  expect(follower.renewLease(asReplicaId('r1'), oldBoot, clock.now() + 1)).toBe(true)
})

it('takes nothing in our own name', () => {
  const { clock, follower, listed, tell } = setUp()
  tell(newerBoot, 't1', 'me')
  expect(follower.renewLease(asReplicaId('me'), newerBoot, clock.now() + 3000)).toBe(false)
  expect(listed()).toEqual([])
})

it('does not let one replica take over or remove a line of another', () => {
  const { clock, registry, follower, listed, tell } = setUp()
  registry.replace(asTunnelId('mine'), [makeLine('me', 'mine', 'web')])
  for (const id of ['r1', 'r2']) follower.renewLease(asReplicaId(id), boot, clock.now() + 3000)
  tell(boot, 't1', 'r1')
  tell(boot, 't1', 'r2')
  tell(boot, 'mine', 'r1')
  expect([...registry.lines()].map(line => line.replicaId)).toEqual(['me', 'r1'])
  expect(follower.replicas()).toMatchObject([
    { replicaId: 'r1', refusedLines: 1 },
    { replicaId: 'r2', refusedLines: 1 },
  ])
  follower.endLease(asReplicaId('r2'), boot)
  expect(listed()).toEqual(['mine/web', 't1/web'])
})
