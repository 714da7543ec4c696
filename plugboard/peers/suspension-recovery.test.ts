import { expect, it } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { SuspensionRecovery } from './suspension-recovery.ts'

const LOOK_MS = 500

function setUp() {
  const clock = new ManualClock()
  const returns: number[] = []
  const state = { completeSinceMs: Number.NEGATIVE_INFINITY }
  const recovery = new SuspensionRecovery({
    clock,
    awayMs: 1500,
    patienceMs: 3000,
    onReturn: gapMs => returns.push(gapMs),
    complete: sinceMs => state.completeSinceMs >= sinceMs,
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

it('detects no suspension before its start, or when a check is a little late', () => {
  const { clock, returns, recovery, start } = setUp()
  clock.advance(10_000)
  expect([recovery.unverified, recovery.underWay]).toEqual([false, false])
  start()
  clock.advance(LOOK_MS)
  clock.freeze(1400)
  expect([recovery.unverified, recovery.underWay]).toEqual([false, false])
  clock.advance(5000)
  expect([recovery.underWay, returns]).toEqual([false, []])
})

it('is unverified after a gap, and recovers from the next check on until all links are confirmed', () => {
  const { clock, returns, state, recovery, start } = setUp()
  start()
  clock.advance(LOOK_MS)
  clock.freeze(15_000)
  expect([recovery.unverified, recovery.underWay, returns]).toEqual([true, true, []])
  clock.advance(0)
  expect([recovery.unverified, recovery.underWay, returns]).toEqual([false, true, [15_000]])
  clock.advance(100)
  state.completeSinceMs = clock.now()
  expect(recovery.underWay).toBe(false)
  // A later loss does not restart the recovery.
  recovery.step()
  state.completeSinceMs = Number.NEGATIVE_INFINITY
  expect(recovery.underWay).toBe(false)
})

it('ends after its time limit, so that a replica without peers serves again', () => {
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

it('steps once for several calls of stepSoon in one turn', async () => {
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

it('calls each waiting task once, at the next step or at the stop', () => {
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
    // Waits for the step after this one.
    recovery.onStep(wake)
  })
  recovery.step()
  expect(woken).toBe(2)
  recovery.stop()
  expect([woken, recovery.unverified, recovery.underWay]).toEqual([3, false, false])
})
