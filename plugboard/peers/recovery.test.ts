import { expect, it } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { Recovery } from './recovery.ts'

const LOOK_MS = 500

function setUp() {
  const clock = new ManualClock()
  const returns: number[] = []
  const state = { wholeSinceMs: Number.NEGATIVE_INFINITY }
  const recovery = new Recovery({
    clock,
    awayMs: 1500,
    patienceMs: 3000,
    onReturn: gapMs => returns.push(gapMs),
    whole: sinceMs => state.wholeSinceMs >= sinceMs,
  })
  const look = (): void => {
    clock.after(LOOK_MS, look)
    recovery.look()
  }
  const start = (): void => {
    recovery.start()
    clock.after(LOOK_MS, look)
  }
  return { clock, returns, state, recovery, start }
}

it('sees no absence before anybody looks, nor in looks that are a little late', () => {
  const { clock, returns, recovery, start } = setUp()
  clock.advance(10_000)
  expect([recovery.doubtful, recovery.underWay]).toEqual([false, false])
  start()
  clock.advance(LOOK_MS)
  clock.freeze(1400)
  expect([recovery.doubtful, recovery.underWay]).toEqual([false, false])
  clock.advance(5000)
  expect([recovery.underWay, returns]).toEqual([false, []])
})

it('is in doubt for whoever asks first, recovers from the next look on, until all is proved', () => {
  const { clock, returns, state, recovery, start } = setUp()
  start()
  clock.advance(LOOK_MS)
  clock.freeze(15_000)
  expect([recovery.doubtful, recovery.underWay, returns]).toEqual([true, true, []])
  clock.advance(0)
  expect([recovery.doubtful, recovery.underWay, returns]).toEqual([false, true, [15_000]])
  clock.advance(100)
  state.wholeSinceMs = clock.now()
  expect(recovery.underWay).toBe(false)
  // What breaks later has nothing to do with it.
  recovery.step()
  state.wholeSinceMs = Number.NEGATIVE_INFINITY
  expect(recovery.underWay).toBe(false)
})

it('takes no longer than its patience, so that who is alone serves again', () => {
  const { clock, recovery, start } = setUp()
  start()
  clock.freeze(60_000)
  clock.advance(0)
  clock.advance(2999)
  expect(recovery.underWay).toBe(true)
  clock.advance(1)
  expect(recovery.underWay).toBe(false)
  clock.freeze(2000)
  expect(recovery.underWay).toBe(true)
})

it('steps once for all that ask for it in one turn', async () => {
  const { recovery } = setUp()
  let woken = 0
  recovery.onStep(() => {
    woken += 1
  })
  recovery.stepSoon()
  recovery.stepSoon()
  expect(woken).toBe(0)
  await new Promise(resolve => setImmediate(resolve))
  expect(woken).toBe(1)
})

it('wakes who waits at each step, once, and at the stop', () => {
  const { clock, recovery, start } = setUp()
  let woken = 0
  const wake = (): void => {
    woken += 1
  }
  start()
  clock.freeze(5000)
  recovery.onStep(wake)
  clock.advance(0)
  expect(woken).toBe(1)
  recovery.onStep(() => {
    woken += 1
    // For the step after this one.
    recovery.onStep(wake)
  })
  recovery.step()
  expect(woken).toBe(2)
  recovery.stop()
  expect([woken, recovery.doubtful, recovery.underWay]).toEqual([3, false, false])
})
