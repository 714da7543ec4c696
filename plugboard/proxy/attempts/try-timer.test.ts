import { beforeEach, expect, it } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { TryTimer } from './try-timer.ts'

let clock: ManualClock
let elapsed: number[]

beforeEach(() => {
  clock = new ManualClock()
  elapsed = []
})

const owner = (isUploading: boolean) => ({
  context: { clock },
  isUploading,
  tryElapsed: () => void elapsed.push(clock.now()),
})

it('needs no timer during an upload, and starts at its end', () => {
  const timer = new TryTimer(owner(true), 1)
  expect(clock.pendingTimers).toBe(0)
  clock.advance(10_000)
  timer.bodyEnded()
  expect(elapsed).toEqual([])
  clock.advance(1)
  expect(elapsed).toEqual([11_001])
  expect(clock.pendingTimers).toBe(0)
})

it('starts at once without an upload, and the end of a body that it did not wait for has no effect', () => {
  const timer = new TryTimer(owner(false), 50)
  clock.advance(49)
  timer.bodyEnded()
  clock.advance(1)
  expect(elapsed).toEqual([1050])
})

it('does not elapse after it is cancelled', () => {
  const timer = new TryTimer(owner(false), 50)
  timer.cancel()
  expect(clock.pendingTimers).toBe(0)
})
