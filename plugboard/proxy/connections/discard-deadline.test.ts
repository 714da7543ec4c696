import { expect, it } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { Deadlines } from '../deadlines.ts'
import { DISCARD_SILENCE_MS, DISCARD_TOTAL_MS, DiscardDeadline } from './discard-deadline.ts'

const INTERVAL_MS = 100

function start() {
  const clock = new ManualClock()
  let overdue = 0
  const deadlines = new Deadlines(clock, INTERVAL_MS)
  const deadline = new DiscardDeadline(deadlines, () => {
    overdue += 1
  })
  return { clock, deadline, overdue: () => overdue }
}

it('is overdue after 5 s without a byte', () => {
  const { clock, overdue } = start()
  clock.advance(DISCARD_SILENCE_MS - INTERVAL_MS)
  expect(overdue()).toBe(0)
  clock.advance(INTERVAL_MS)
  expect([overdue(), clock.pendingTimers]).toEqual([1, 0])
})

it('is overdue 30 s after its start, however many bytes have arrived', () => {
  const { clock, deadline, overdue } = start()
  for (let passedMs = 0; passedMs < DISCARD_TOTAL_MS - 1000; passedMs += 1000) {
    clock.advance(1000)
    deadline.moved()
  }
  expect(overdue()).toBe(0)
  clock.advance(1000)
  expect([overdue(), clock.pendingTimers]).toEqual([1, 0])
})

it('is never overdue after it was stopped', () => {
  const { clock, deadline, overdue } = start()
  deadline.stop()
  clock.advance(2 * DISCARD_TOTAL_MS)
  expect([overdue(), clock.pendingTimers]).toEqual([0, 0])
})
