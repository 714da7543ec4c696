import { beforeEach, describe, expect, it } from 'vitest'
import { type BreakerState, CircuitBreaker, stepBreaker } from './circuit-breaker.ts'

const POLICY = { errorPercent: 50, minRequests: 20, windowMs: 10_000, openMs: 5000 }

let changes: string[]
let breaker: CircuitBreaker
let nowMs: number

beforeEach(() => {
  changes = []
  nowMs = 1000
  breaker = new CircuitBreaker(POLICY, ({ kind }) => changes.push(kind))
})

/** Sends requests one after the other. Returns the number of rejected ones. */
function send(count: number, failed: boolean): number {
  let rejected = 0
  for (let sent = 0; sent < count; sent += 1) {
    const request = { startedAtMs: nowMs }
    if (breaker.admit(request, nowMs) === undefined) breaker.report(request, failed, nowMs)
    else rejected += 1
  }
  return rejected
}

describe('a closed breaker', () => {
  it('opens when errorPercent of the results have failed, and not before minRequests', () => {
    send(19, true)
    expect(changes).toEqual([])
    expect(send(10, true)).toBe(9)
    expect(changes).toEqual(['open'])
  })

  it('stays closed below errorPercent', () => {
    send(11, false)
    send(10, true)
    expect(changes).toEqual([])
    send(1, true)
    expect(changes).toEqual(['open'])
  })

  it('forgets results that are older than the window', () => {
    send(19, true)
    nowMs += 10_000
    send(19, true)
    expect(changes).toEqual([])
  })

  it('uses a changed policy from the next result on', () => {
    breaker.usePolicy({ ...POLICY, minRequests: 2 })
    send(2, true)
    expect(changes).toEqual(['open'])
  })
})

describe('an open breaker', () => {
  beforeEach(() => void send(20, true))

  it('states the time until the next attempt, and then admits one request at a time', () => {
    expect(breaker.admit({ startedAtMs: nowMs }, nowMs)).toBe(5000)
    nowMs += 4999
    expect(breaker.admit({ startedAtMs: nowMs }, nowMs)).toBe(1)
    nowMs += 1
    const trial = { startedAtMs: nowMs }
    expect(breaker.admit(trial, nowMs)).toBe(undefined)
    expect(breaker.admit({ startedAtMs: nowMs }, nowMs)).toBe(1000)
    breaker.report(trial, false, nowMs)
    expect(breaker.admit({ startedAtMs: nowMs }, nowMs)).toBe(undefined)
  })

  it('closes after three successes', () => {
    nowMs += 5000
    expect(send(3, false)).toBe(0)
    expect(changes).toEqual(['open', 'half_open', 'closed'])
    // The failures before do not count any more.
    send(19, true)
    expect(changes).toHaveLength(3)
  })

  it('opens again after a failed trial, for openMs', () => {
    nowMs += 5000
    send(2, false)
    send(1, true)
    expect(changes).toEqual(['open', 'half_open', 'open'])
    expect(breaker.admit({ startedAtMs: nowMs }, nowMs)).toBe(5000)
  })

  it('admits another trial when the client of the first one has cancelled it', () => {
    nowMs += 5000
    const trial = { startedAtMs: nowMs }
    breaker.admit(trial, nowMs)
    breaker.release(trial)
    expect(breaker.admit({ startedAtMs: nowMs }, nowMs)).toBe(undefined)
  })

  it('admits a second trial when the first one has no result for 10 s, and counts the results of both', () => {
    nowMs += 5000
    const [slow, second] = [{ startedAtMs: nowMs }, { startedAtMs: nowMs + 10_000 }]
    breaker.admit(slow, nowMs)
    nowMs += 9999
    expect(breaker.admit({ startedAtMs: nowMs }, nowMs)).toBe(1000)
    nowMs += 1
    expect(breaker.admit(second, nowMs)).toBe(undefined)
    expect(breaker.admit({ startedAtMs: nowMs }, nowMs)).toBe(1000)
    breaker.report(slow, false, nowMs)
    breaker.report(second, false, nowMs)
    expect(breaker.state).toEqual({ kind: 'half_open', successes: 2 })
  })

  it('rejects requests while it is open, and while a trial has no result', () => {
    expect(breaker.isRejecting(nowMs)).toBe(true)
    nowMs += 5000
    expect(breaker.isRejecting(nowMs)).toBe(false)
    const trial = { startedAtMs: nowMs }
    breaker.admit(trial, nowMs)
    expect(breaker.isRejecting(nowMs)).toBe(true)
    breaker.release(trial)
    expect(breaker.isRejecting(nowMs)).toBe(false)
  })

  it('ignores results of requests that started before it opened, also after it has closed', () => {
    const before = { startedAtMs: nowMs }
    nowMs += 5000
    send(3, false)
    for (let count = 0; count < 30; count += 1) breaker.report(before, true, nowMs + 30_000)
    expect(changes).toEqual(['open', 'half_open', 'closed'])
  })

  it('ignores results of requests that started before it opened', () => {
    breaker.report({ startedAtMs: nowMs }, true, nowMs)
    nowMs += 5000
    const trial = { startedAtMs: nowMs }
    breaker.admit(trial, nowMs)
    breaker.report({ startedAtMs: nowMs }, true, nowMs)
    breaker.report({ startedAtMs: nowMs }, false, nowMs)
    expect(breaker.state).toEqual({ kind: 'half_open', successes: 0 })
  })
})

it('ignores events that do not fit the state', () => {
  const closed: BreakerState = { kind: 'closed' }
  const open: BreakerState = { kind: 'open', untilMs: 5 }
  expect(stepBreaker(closed, { kind: 'elapsed' })).toBe(closed)
  expect(stepBreaker(closed, { kind: 'trial_succeeded' })).toBe(closed)
  expect(stepBreaker(open, { kind: 'too_many_errors', openUntilMs: 9 })).toBe(open)
  expect(stepBreaker(open, { kind: 'trial_failed', openUntilMs: 9 })).toBe(open)
})
