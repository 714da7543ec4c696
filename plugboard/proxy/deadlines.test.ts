import { expect, test } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { type Deadlined, Deadlines } from './deadlines.ts'

const INTERVAL_MS = 1_000

class Member implements Deadlined {
  deadlineSlot: number | undefined
  readonly askedAtMs: number[] = []
  onAsked: (() => void) | undefined

  checkDeadline(nowMs: number): void {
    this.askedAtMs.push(nowMs)
    this.onAsked?.()
  }
}

function setUp(count: number) {
  const clock = new ManualClock()
  const deadlines = new Deadlines(clock, INTERVAL_MS)
  const members = Array.from({ length: count }, () => new Member())
  for (const each of members) deadlines.add(each)
  return { clock, deadlines, member: (index: number) => members[index] as Member, members }
}

test('checks each member once per interval until it is removed', () => {
  const { clock, deadlines, member, members } = setUp(3)
  clock.advance(INTERVAL_MS)
  deadlines.delete(member(0))
  clock.advance(INTERVAL_MS)
  expect(members.map(({ askedAtMs }) => askedAtMs.length)).toEqual([1, 2, 2])
  expect(deadlines.size).toBe(2)
})

test('checks all members even when members remove themselves or others', () => {
  const { clock, deadlines, member, members } = setUp(9)
  for (const each of members) each.onAsked = () => deadlines.delete(each)
  member(6).onAsked = () => deadlines.delete(member(8))
  member(3).onAsked = () => deadlines.delete(member(1))
  clock.advance(INTERVAL_MS)
  const missed = members.filter(({ askedAtMs }) => askedAtMs.length === 0)
  expect(missed).toEqual([member(1)])
  expect(deadlines.size).toBe(2)
})

test('ignores a second add and a second delete; stops the timer when no member is left', () => {
  const { clock, deadlines, member, members } = setUp(3)
  deadlines.add(member(0))
  expect(deadlines.size).toBe(3)
  for (const each of members) deadlines.delete(each)
  deadlines.delete(member(0))
  expect(deadlines.size).toBe(0)
  clock.advance(INTERVAL_MS)
  expect(clock.pendingTimers).toBe(0)
})
