import { expect, it, onTestFinished } from 'vitest'
import { makeLine } from '../../../test/support/harness/registry-cluster.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { asReplicaId, type ReplicaId } from '../../common/ids/replica-id.ts'
import { NOWHERE, ShardWriterState } from '../documents/shard-writer-state.ts'
import { newIncarnation } from '../incarnation.ts'
import { asTunnelId } from '../line-ids.ts'
import { Registry } from '../registry.ts'
import { DataWriter, decodeRegistryMessage, encodeSummary, MESSAGE_BYTES } from '../wire/message.ts'
import { RegistryFollower } from './registry-follower.ts'
import { RegistryOwner } from './registry-owner.ts'
import { RegistrySync } from './registry-sync.ts'

const LEASE_MS = 1e9

interface Side {
  readonly registry: Registry
  exchange: RegistrySync
  readyCalls: number
  agreements: number
  faultsReported: number
  /** Runs the tasks that wait for the end of the turn. */
  flush(): void
  /** Opens a new link to the same peer. */
  relink(): void
}

/** Creates two replicas and the exchange between them, each with a lease of the other. */
function pair() {
  const clock = new ManualClock()
  onTestFinished(() => expect(clock.pendingTimers).toBe(0))
  const [leftIncarnation, rightIncarnation] = [newIncarnation(1000, () => 0), newIncarnation(2000, () => 0)]
  const left = makeSide(
    clock,
    [asReplicaId('left'), leftIncarnation],
    [asReplicaId('right'), rightIncarnation],
  )
  const right = makeSide(
    clock,
    [asReplicaId('right'), rightIncarnation],
    [asReplicaId('left'), leftIncarnation],
  )
  return { clock, left, right, leftBoot: leftIncarnation, rightBoot: rightIncarnation }
}

type Named = readonly [id: ReplicaId, incarnation: string]

function makeSide(
  clock: ManualClock,
  [replicaId, incarnation]: Named,
  [peerId, peerIncarnation]: Named,
): Side {
  const registry = new Registry()
  const deferred: (() => void)[] = []
  const defer = (task: () => void): void => void deferred.push(task)
  const owner = new RegistryOwner({ registry, replicaId: replicaId, incarnation, defer })
  const follower = new RegistryFollower({ registry, replicaId: replicaId, clock })
  const link = (): RegistrySync => {
    const onReady = (): void => {
      side.readyCalls += 1
    }
    return new RegistrySync({
      owner,
      follower,
      peerId,
      peerIncarnation,
      clock,
      onReady,
      onAgree: () => {
        side.agreements += 1
      },
      onFault: () => {
        side.faultsReported += 1
      },
    })
  }
  const side: Side = {
    registry,
    exchange: link(),
    readyCalls: 0,
    agreements: 0,
    faultsReported: 0,
    flush() {
      while (deferred.length > 0) deferred.shift()?.()
    },
    relink() {
      side.exchange.close()
      side.exchange = link()
    },
  }
  follower.renewLease(asReplicaId(peerId), peerIncarnation, clock.now() + LEASE_MS)
  onTestFinished(() => {
    side.exchange.close()
    owner.close()
    follower.close()
  })
  return side
}

/** Carries messages in both directions until both sides have sent all; returns the messages of the left side. */
function exchangeAll({ left, right }: { left: Side; right: Side }): Uint8Array[] {
  const sent: Uint8Array[] = []
  for (;;) {
    const toRight = left.exchange.pull()
    const toLeft = right.exchange.pull()
    if (toRight) sent.push(toRight)
    if (toRight) right.exchange.receive(toRight)
    if (toLeft) left.exchange.receive(toLeft)
    if (!toRight && !toLeft) return sent
  }
}

function connect(side: Side, replicaId: string, from: number, to: number): void {
  for (let i = from; i < to; i += 1)
    side.registry.replace(asTunnelId(`t${i}`), [makeLine(replicaId, `t${i}`, 'web')])
  side.flush()
}

const idsOf = (side: Side): string[] => [...side.registry.lines()].map(line => line.id).sort()
const linesOf = (side: Side): number => [...side.registry.lines()].length

it('reports agreement on both sides after the first exchange', () => {
  const both = pair()
  connect(both.left, 'left', 0, 50)
  connect(both.right, 'right', 50, 60)
  expect([both.left.exchange.agrees, both.left.exchange.peerAgrees]).toEqual([false, false])
  exchangeAll(both)
  for (const { exchange, agreements, faultsReported: faultsTold } of [both.left, both.right]) {
    expect([exchange.agrees, exchange.peerAgrees]).toEqual([true, true])
    // The listener was notified, so it needs no polling.
    expect([agreements, faultsTold]).toEqual([1, 0])
    expect(exchange.faults).toEqual({ garbage: 0, gaps: 0, mismatches: 0, stale: 0 })
  }
  expect(idsOf(both.left)).toEqual(idsOf(both.right))
})

it('sends a change at once, in one message, without unchanged lines', () => {
  const both = pair()
  connect(both.left, 'left', 0, 5000)
  exchangeAll(both)
  const calls = both.left.readyCalls
  connect(both.left, 'left', 5000, 5001)
  expect(both.left.readyCalls).toBe(calls + 1)
  const message = both.left.exchange.pull()!
  expect(message.length).toBeLessThan(100)
  both.right.exchange.receive(message)
  expect(idsOf(both.right)).toContain('t5000/web')
})

it('keeps each message within the limit, even with very many lines', () => {
  const both = pair()
  const labels = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`label-${i}`, 'v'.repeat(250)]))
  for (let i = 0; i < 400; i += 1)
    both.left.registry.replace(asTunnelId(`t${i}`), [makeLine('left', `t${i}`, 'web', { labels })])
  both.left.flush()
  const lengths = exchangeAll(both).map(message => message.length)
  expect(Math.max(...lengths)).toBeLessThanOrEqual(MESSAGE_BYTES)
  expect(lengths.length).toBeGreaterThan(90)
  expect(linesOf(both.right)).toBe(400)
  expect(both.left.exchange.peerAgrees).toBe(true)
})

it('sends the current state, and not each change, to a peer that did not read for a while', () => {
  const both = pair()
  connect(both.left, 'left', 0, 10)
  exchangeAll(both)
  for (let turn = 0; turn < 1000; turn += 1) {
    both.left.registry.replace(asTunnelId('t1'), [makeLine('left', 't1', 'web', { weight: turn % 999 })])
    both.left.registry.replace(asTunnelId(`t${turn + 10}`), [makeLine('left', `t${turn + 10}`, 'web')])
    both.left.registry.replace(asTunnelId(`t${turn + 9}`), [])
    both.left.flush()
  }
  const sentBytes = exchangeAll(both).reduce((sum, message) => sum + message.length, 0)
  expect(sentBytes).toBeLessThan(10_000)
  expect(idsOf(both.right)).toEqual(idsOf(both.left))
})

it('sends only missing updates over a new link', () => {
  const both = pair()
  connect(both.left, 'left', 0, 5000)
  exchangeAll(both)
  connect(both.left, 'left', 5000, 5010)
  both.left.relink()
  both.right.relink()
  const sent = exchangeAll(both)
  expect(sent.reduce((sum, message) => sum + message.length, 0)).toBeLessThan(3000)
  expect(linesOf(both.right)).toBe(5010)
})

it('detects a lost update at the next update, or at the next summary', () => {
  const both = pair()
  connect(both.left, 'left', 0, 10)
  exchangeAll(both)
  connect(both.left, 'left', 10, 20)
  expect(both.left.exchange.pull()).toBeDefined()
  expect(both.left.exchange.pull()).toBeUndefined()
  exchangeAll(both)
  expect(linesOf(both.right)).toBe(10)
  both.clock.advance(1000)
  exchangeAll(both)
  expect(linesOf(both.right)).toBe(20)
  both.left.registry.replace(asTunnelId('t1'), [])
  both.left.flush()
  both.left.exchange.pull()
  both.left.registry.replace(asTunnelId('t1'), [makeLine('left', 't1', 'web', { weight: 1 })])
  both.left.flush()
  exchangeAll(both)
  expect(both.right.exchange.faults.gaps).toBe(1)
  expect(idsOf(both.right)).toEqual(idsOf(both.left))
})

it('drops a shard after a malformed update, counts it, and recovers with the full state', () => {
  const both = pair()
  connect(both.left, 'left', 0, 300)
  connect(both.right, 'right', 300, 310)
  exchangeAll(both)
  const shard = 3
  const forged = new DataWriter(both.leftBoot)
  const bytes = Buffer.from('this is no update of a document')
  forged.add({ shard, epoch: 1, base: 1, seq: 99, part: undefined, bytes })
  const message = forged.finish()
  both.right.exchange.receive(message)
  expect([both.right.exchange.faults.garbage, both.right.faultsReported]).toEqual([1, 1])
  both.right.exchange.receive(message)
  expect(both.right.faultsReported).toBe(1)
  expect(linesOf(both.right)).toBeLessThan(310)
  expect(linesOf(both.right)).toBeGreaterThan(250)
  exchangeAll(both)
  expect(linesOf(both.right)).toBe(310)
})

it('treats malformed lines in a valid document as garbage', () => {
  const both = pair()
  exchangeAll(both)
  const shard = new ShardWriterState(0)
  shard.set(makeLine('left', '', ''))
  shard.flush()
  const { base, update } = shard.updateSince(NOWHERE)
  const forged = new DataWriter(both.leftBoot)
  forged.add({ shard: 0, epoch: 1, base, seq: 1, part: undefined, bytes: update })
  both.right.exchange.receive(forged.finish())
  expect(both.right.exchange.faults.garbage).toBe(1)
  expect(linesOf(both.right)).toBe(0)
})

it('drops a shard that is not in the next summary', () => {
  const both = pair()
  connect(both.left, 'left', 0, 3)
  exchangeAll(both)
  const shard = new ShardWriterState(200)
  shard.set(makeLine('left', 'never', 'web'))
  shard.flush()
  const { base, update } = shard.updateSince(NOWHERE)
  const forged = new DataWriter(both.leftBoot)
  forged.add({ shard: 200, epoch: 1, base, seq: 1, part: undefined, bytes: update })
  both.right.exchange.receive(forged.finish())
  expect(idsOf(both.right)).toContain('never/web')
  both.clock.advance(15_000)
  exchangeAll(both)
  expect(idsOf(both.right)).toEqual(idsOf(both.left))
})

it('replaces a copy with a wrong digest, and keeps its lines until then', () => {
  const both = pair()
  connect(both.left, 'left', 0, 40)
  exchangeAll(both)
  // Reads the correct summary, then changes one digest.
  both.clock.advance(15_000)
  const truth = decodeRegistryMessage(both.left.exchange.pull()!, {
    sender: both.leftBoot,
    own: both.rightBoot,
  })
  if (truth?.kind !== 'summary') throw new Error('no summary')
  const shards = truth.shards.map((row, i) => (i === 0 ? { ...row, digest: (row.digest ^ 1) >>> 0 } : row))
  both.right.exchange.receive(encodeSummary(both.leftBoot, truth.round, shards))
  expect(both.right.exchange.faults.mismatches).toBe(1)
  expect(linesOf(both.right)).toBe(40)
  expect(both.right.exchange.agrees).toBe(false)
  exchangeAll(both)
  both.clock.advance(1000)
  exchangeAll(both)
  expect(both.right.exchange.agrees).toBe(true)
  expect(linesOf(both.right)).toBe(40)
})
