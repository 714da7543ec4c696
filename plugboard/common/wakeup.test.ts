import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { Wakeup } from './wakeup.ts'

describe('a wait', () => {
  it('ends when it is woken, and leaves no timer', async () => {
    const clock = new ManualClock()
    const wakeup = new Wakeup(clock)
    const waiting = wakeup.wait(1000)
    wakeup.wake()
    expect(await waiting).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  })

  it('ends at once after one or more earlier wakes, which end only one wait', async () => {
    const clock = new ManualClock()
    const wakeup = new Wakeup(clock)
    wakeup.wake()
    wakeup.wake()
    expect(await wakeup.wait(1000)).toBe(true)
    const next = wakeup.wait(1000)
    clock.advance(1000)
    expect(await next).toBe(false)
  })
})
