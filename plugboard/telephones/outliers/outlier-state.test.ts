import { describe, expect, it } from 'vitest'
import { HEALTHY, HEALTHY_MS, type OutlierEvent, type OutlierState, step, TRIALS } from './outlier-state.ts'

const times = { ejectMs: 10_000, maxEjectMs: 60_000 }

/** An event without its time. */
type Untimed<Event = OutlierEvent> = Event extends OutlierEvent ? Omit<Event, 'nowMs'> : never

const result = { refused: false, isDown: false, times }
const unfit: Untimed = { kind: 'rule_matched', reason: 'consecutive_failures', ...result }
const failed: Untimed = { kind: 'failed', mayEject: true, ...result }
const succeeded: Untimed = { kind: 'succeeded' }
const elapsed: Untimed = { kind: 'elapsed' }
const checkPassed: Untimed = { kind: 'check_passed' }
const checkFailed: Untimed = { kind: 'check_failed' }

/** Applies events at one time. Returns the last step. */
function after(state: OutlierState, nowMs: number, ...events: Untimed[]) {
  let last = { state, effects: [] } as ReturnType<typeof step>
  for (const event of events) last = step(last.state, { ...event, nowMs } as OutlierEvent)
  return last
}

const ejected = () => after(HEALTHY, 1000, unfit).state
const halfOpen = () => after(ejected(), 11_000, elapsed).state

describe('a serving process', () => {
  it('is ejected for the ejection time, and its telephone is asked for a health check', () => {
    const { state, effects } = after(HEALTHY, 1000, unfit)
    expect(state).toMatchObject({
      kind: 'ejected',
      untilMs: 11_000,
      ejections: 1,
      reason: 'consecutive_failures',
    })
    expect(effects).toEqual([{ kind: 'wake', afterMs: 10_000 }, { kind: 'probe' }])
  })

  it('ignores all other events', () => {
    for (const event of [failed, succeeded, elapsed, checkPassed, checkFailed]) {
      expect(after(HEALTHY, 1000, event)).toEqual({ state: HEALTHY, effects: [] })
    }
  })
})

describe('an ejected process', () => {
  it('becomes half-open when the ejection time has passed', () => {
    expect(halfOpen()).toMatchObject({ kind: 'half_open', successes: 0, sinceMs: 11_000 })
  })

  it('serves at once when its own check failed and passes again', () => {
    const { state, effects } = after(ejected(), 3000, checkFailed, checkPassed)
    expect(state).toMatchObject({ kind: 'serving', ejections: 1, sinceMs: 3000 })
    expect(effects).toEqual([{ kind: 'slow_start' }])
  })

  it('serves at once when its own check failed already at the ejection, and passes', () => {
    expect(after(HEALTHY, 1000, { ...unfit, isDown: true } as Untimed, checkPassed).state.kind).toBe(
      'serving',
    )
    const again = after(halfOpen(), 12_000, { ...failed, isDown: true } as Untimed)
    expect(after(again.state, 12_001, checkPassed).state.kind).toBe('serving')
  })

  it('becomes half-open at once when its own check passes after the first ejection', () => {
    expect(after(ejected(), 1001, checkPassed).state.kind).toBe('half_open')
  })

  it('stays ejected when its own check passes after a further ejection, because the check does not detect the fault', () => {
    const again = after(halfOpen(), 12_000, failed).state
    expect(after(again, 12_001, checkPassed).state).toEqual(again)
  })

  it('ignores results, except a success that it had because no other process took the request', () => {
    expect(after(ejected(), 2000, failed, unfit).state).toEqual(ejected())
    expect(after(ejected(), 2000, succeeded).state).toMatchObject({ kind: 'half_open', successes: 1 })
  })
})

describe('a half-open process', () => {
  it('serves after three successes in a row', () => {
    const trials = Array.from({ length: TRIALS - 1 }, () => succeeded)
    expect(after(halfOpen(), 12_000, ...trials).state.kind).toBe('half_open')
    const { state, effects } = after(halfOpen(), 12_000, ...trials, succeeded)
    expect(state).toMatchObject({ kind: 'serving', ejections: 1 })
    expect(effects).toEqual([{ kind: 'slow_start' }])
  })

  it('is ejected for twice as long when a trial fails', () => {
    const { state } = after(halfOpen(), 12_000, succeeded, failed)
    expect(state).toMatchObject({ kind: 'ejected', untilMs: 32_000, ejections: 2, reason: 'trial_failed' })
  })

  it('starts its trials again when a trial fails and the bounds do not allow an ejection', () => {
    const { state } = after(halfOpen(), 12_000, succeeded, { ...failed, mayEject: false } as Untimed)
    expect(state).toMatchObject({ kind: 'half_open', successes: 0, ejections: 1 })
  })

  it('serves at once when its own check failed and passes again', () => {
    expect(after(halfOpen(), 12_000, checkPassed).state.kind).toBe('half_open')
    expect(after(halfOpen(), 12_000, checkFailed, checkPassed).state.kind).toBe('serving')
  })
})

describe('the ejection time', () => {
  it('doubles with each ejection up to its limit', () => {
    let state = ejected()
    const lengths = []
    for (let nowMs = 0; nowMs < 600_000; nowMs += 100_000) {
      if (state.kind !== 'ejected') throw new Error(`unexpected state ${state.kind}`)
      lengths.push(state.untilMs - state.sinceMs)
      state = after(state, nowMs, elapsed, failed).state
    }
    expect(lengths).toEqual([10_000, 20_000, 40_000, 60_000, 60_000, 60_000])
  })

  it('starts from the beginning after ten minutes of health', () => {
    const { state } = after(ejected(), 20_000, checkFailed, checkPassed)
    expect(after(state, 20_000 + HEALTHY_MS - 1, unfit).state).toMatchObject({ ejections: 2 })
    expect(after(state, 20_000 + HEALTHY_MS, unfit).state).toMatchObject({ ejections: 1 })
  })
})

it('a process serves when its service no longer uses passive ejection', () => {
  for (const state of [HEALTHY, ejected(), halfOpen()]) {
    expect(after(state, 12_000, { kind: 'disabled' }).state.kind).toBe('serving')
  }
})
