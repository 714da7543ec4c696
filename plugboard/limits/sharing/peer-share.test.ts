// The exchange between two replicas, message by message.

import { expect, it } from 'vitest'
import { encodeShare } from '../../../test/support/harness/encode-share.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { randomInteger, seededRandom } from '../../../test/support/seeded-random.ts'
import { debited, type Quota } from '../gcra.ts'
import { type LimitKey, LimitTable } from '../limit-table.ts'
import type { PeerShare } from './peer-share.ts'
import { decodeShare, type ShareEntry } from './share-message.ts'
import { SHARE_INTERVAL_MS, SharedBudgets } from './shared-budgets.ts'

const QUOTA: Quota = { intervalMs: 1000, burst: 10 }

function startReplica(clock: ManualClock, maxKeys?: number) {
  const table = new LimitTable(maxKeys)
  const budgets = new SharedBudgets({ table, clock })
  const slotOf = (key: LimitKey): number => {
    const slot = table.find(key)
    return slot === -1 ? table.add(key, clock.now()) : slot
  }
  const admit = (key: LimitKey, cost = 1, quota = QUOTA): void => {
    const slot = slotOf(key)
    table.setFullAtMs(slot, debited(table.fullAtMs(slot), clock.now(), cost, quota))
    table.addAdmitted(slot, cost)
    budgets.admitted({ ...quota, shared: true }, slot, cost)
  }
  const ahead = (key: LimitKey): number => {
    const slot = table.find(key)
    return slot === -1 ? 0 : Math.max(0, table.fullAtMs(slot) - clock.now()) / QUOTA.intervalMs
  }
  return { table, budgets, admit, ahead }
}

type Replica = ReturnType<typeof startReplica>

/** Opens the exchange of a replica with another one. Its messages are collected. */
function opened({ budgets }: Replica, peerId: string, incarnation = 'first') {
  const sent: Buffer[] = []
  let faults = 0
  const collect = (): void => {
    for (let bytes = share.pull(); bytes !== undefined; bytes = share.pull()) sent.push(Buffer.from(bytes))
  }
  const onFault = (): void => {
    faults += 1
  }
  const share: PeerShare = budgets.open({ peerId, incarnation, onReady: collect, onFault })
  collect()
  return { share, sent, faults: () => faults, take: () => sent.splice(0) }
}

function pair() {
  const clock = new ManualClock()
  const [left, right] = [startReplica(clock), startReplica(clock)]
  const [toRight, toLeft] = [opened(left, 'right'), opened(right, 'left')]
  const deliver = (): void => {
    for (const bytes of toRight.take()) toLeft.share.receive(bytes)
    for (const bytes of toLeft.take()) toRight.share.receive(bytes)
  }
  deliver()
  const interval = (): void => clock.advance(SHARE_INTERVAL_MS)
  return { clock, left, right, toRight, toLeft, deliver, interval }
}

const entriesOf = (messages: readonly Buffer[]): ShareEntry[] =>
  messages.flatMap(bytes => decodeShare(bytes)?.entries ?? expect.fail('malformed'))

it('moves the time of the key forward by the requests that another replica has admitted', () => {
  const { left, right, deliver, interval } = pair()
  left.admit(1, 3)
  right.admit(1, 2)
  interval()
  deliver()
  expect(left.ahead(1)).toBeCloseTo(4.9)
  expect(right.ahead(1)).toBeCloseTo(4.9)
})

it('P36 counts correctly when messages are lost, repeated or reordered', () => {
  const random = seededRandom(42)
  const { left, right, toRight, toLeft, interval } = pair()
  const kept: Buffer[] = []
  for (let round = 0; round < 200; round += 1) {
    left.admit(1)
    interval()
    kept.push(...toRight.take())
    for (let count = randomInteger(random, 0, 3); count > 0; count -= 1)
      toLeft.share.receive(kept[randomInteger(random, 0, kept.length - 1)]!)
    // No request counts twice.
    expect(right.ahead(1)).toBeLessThanOrEqual(round + 1)
  }
  toLeft.share.receive(kept.at(-1)!)
  const ahead = right.ahead(1)
  expect(ahead).toBeGreaterThan(19)
  for (const bytes of kept) toLeft.share.receive(bytes)
  expect(right.ahead(1)).toBe(ahead)
})

it('sends a key when a twentieth of its burst is unreported, and not before', () => {
  const { left, toRight, interval } = pair()
  const quota = { intervalMs: 1000, burst: 100 }
  left.admit(1, 4, quota)
  interval()
  expect(entriesOf(toRight.take())).toEqual([])
  left.admit(1, 1, quota)
  interval()
  expect(entriesOf(toRight.take())).toMatchObject([{ key: 1, total: 5, quota }])
  interval()
  expect(entriesOf(toRight.take())).toEqual([])
})

it('sends an empty message each second, so that the age of the exchange shows that it works', () => {
  const { clock, toRight, toLeft, interval } = pair()
  for (let count = 0; count < 30; count += 1) interval()
  const messages = toRight.take()
  expect(messages.map(bytes => bytes.length)).toEqual([2, 2, 2])
  clock.advance(500)
  expect(toLeft.share.ageMs).toBeGreaterThanOrEqual(3500)
  toLeft.share.receive(messages[2]!)
  expect(toLeft.share.ageMs).toBe(0)
})

it('P36 counts a key again that was evicted and comes back with a smaller total', () => {
  const clock = new ManualClock()
  const [left, right] = [startReplica(clock, 2), startReplica(clock)]
  const [toRight, toLeft] = [opened(left, 'right'), opened(right, 'left')]
  const pass = (): void => {
    clock.advance(SHARE_INTERVAL_MS)
    for (const bytes of toRight.take()) toLeft.share.receive(bytes)
  }
  pass()
  left.admit(1, 8)
  pass()
  // Key 1 is restored after 8 s, and is the first to be evicted.
  clock.advance(10_000)
  for (const key of [2, 3, 4]) left.admit(key, 10)
  pass()
  expect(left.table.find(1)).toBe(-1)
  left.admit(1, 5)
  pass()
  expect(right.ahead(1)).toBeCloseTo(5)
  left.admit(1, 1)
  pass()
  expect(right.ahead(1)).toBeCloseTo(5.9)
})

it('P37 keeps the totals of one start of a replica over several streams, and begins at 0 with the next start', () => {
  const { clock, left, right, toRight, toLeft, deliver, interval } = pair()
  left.admit(1, 4)
  interval()
  deliver()
  expect(right.ahead(1)).toBeCloseTo(4)
  toRight.share.close()
  toLeft.share.close()
  const [again, back] = [opened(left, 'right'), opened(right, 'left')]
  for (const bytes of again.take()) back.share.receive(bytes)
  // The new stream repeats the total of the key.
  expect(right.ahead(1)).toBeCloseTo(4)
  left.admit(1, 1)
  clock.advance(SHARE_INTERVAL_MS)
  for (const bytes of again.take()) back.share.receive(bytes)
  expect(right.ahead(1)).toBeCloseTo(4.9)

  const restarted = startReplica(clock)
  const [fromNew, toNew] = [opened(restarted, 'right'), opened(right, 'left', 'second')]
  for (const bytes of toNew.take()) fromNew.share.receive(bytes)
  expect(restarted.ahead(1)).toBeGreaterThan(4.8)
  restarted.admit(1, 1)
  clock.advance(SHARE_INTERVAL_MS)
  for (const bytes of fromNew.take()) toNew.share.receive(bytes)
  expect(right.ahead(1)).toBeCloseTo(5.8)
})

it('P38 bounds the debt to one burst for each other replica', () => {
  const { left, right, deliver, interval } = pair()
  left.admit(1, 500)
  right.admit(1, 10)
  interval()
  deliver()
  expect(right.ahead(1)).toBeLessThanOrEqual(20.3)
})

it('P38 reports a malformed message, and changes no count', () => {
  const { right, toLeft } = pair()
  const entry = { key: 1, quota: QUOTA, birth: 5, total: 9, ahead: 9 }
  const valid = encodeShare({ since: 0, entries: [entry] })
  toLeft.share.receive(valid.subarray(0, valid.length - 1))
  expect([toLeft.faults(), right.table.size]).toEqual([1, 0])
  toLeft.share.receive(valid)
  expect([toLeft.faults(), right.table.size]).toEqual([1, 1])
})

it('stays below 1 MB in a second, and sends all hot keys in turns', () => {
  const { clock, left, toRight } = pair()
  const keys = 20_000
  const last = new Map<number, number>()
  let bytes = 0
  let longestMs = 0
  const startMs = clock.now()
  for (let tick = 0; tick < 30; tick += 1) {
    for (let key = 0; key < keys; key += 1) left.admit(key * 1_000_003, 1)
    clock.advance(SHARE_INTERVAL_MS)
    for (const message of toRight.take()) {
      bytes += message.length + 4
      for (const { key } of entriesOf([message])) {
        longestMs = Math.max(longestMs, clock.now() - (last.get(key) ?? startMs))
        last.set(key, clock.now())
      }
    }
  }
  expect(bytes).toBeLessThan(3 * 1_000_000)
  expect(last.size).toBe(keys)
  // One round takes 20,000 entries of at most 17 bytes.
  expect(longestMs).toBeLessThanOrEqual(500)
})

it('sends nothing more after the stream is closed, and has no timer after its stop', () => {
  const { clock, left, right, toRight, toLeft, interval } = pair()
  left.admit(1, 5)
  toRight.share.close()
  interval()
  expect(toRight.take()).toEqual([])
  expect(toRight.share.pull()).toBeUndefined()
  for (const { budgets } of [left, right]) budgets.stop()
  expect(toLeft.share.isOpen).toBe(false)
  expect(clock.pendingTimers).toBe(0)
})
