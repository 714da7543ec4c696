import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.ts'
import type { BackendFailure } from './backend-failure.ts'
import { FailureLog, type FailureReport } from './failure-log.ts'

const REFUSED: BackendFailure = { cause: 'connection_refused', detail: 'refused', remedy: 'start it' }
const RESET: BackendFailure = { cause: 'connection_reset', detail: 'reset', remedy: 'see its log' }

describe('the failures of a backend', () => {
  let clock: ManualClock
  let reports: FailureReport[]
  let log: FailureLog

  beforeEach(() => {
    clock = new ManualClock()
    reports = []
    log = new FailureLog({ clock, report: report => reports.push(report) })
  })
  afterEach(() => {
    log.close()
    expect(clock.pendingTimers).toBe(0)
  })

  const fail = (failure: BackendFailure, times = 1): void => {
    for (let count = 0; count < times; count += 1) log.failed(failure)
  }
  const succeed = (): void => {
    if (log.failing) log.succeeded()
  }
  const summary = (): unknown[] =>
    reports
      .splice(0)
      .map(report =>
        report.kind === 'failing'
          ? [report.occasion, report.failure.cause, report.count]
          : ['recovered', report.count, report.durationMs],
      )

  it('are reported at the first one, then counted once a minute', () => {
    fail(REFUSED, 1000)
    expect(summary()).toEqual([['first', 'connection_refused', 1]])
    clock.advance(59_999)
    expect(summary()).toEqual([])
    clock.advance(1)
    expect(summary()).toEqual([['repeated', 'connection_refused', 999]])
    fail(REFUSED, 2)
    clock.advance(60_000)
    expect(summary()).toEqual([['repeated', 'connection_refused', 2]])
  })

  it('are reported again at each change of the cause', () => {
    fail(REFUSED, 3)
    fail(RESET)
    fail(REFUSED)
    expect(summary()).toEqual([
      ['first', 'connection_refused', 1],
      ['changed', 'connection_reset', 3],
      ['changed', 'connection_refused', 1],
    ])
  })

  it('end with one report of the recovery', () => {
    fail(REFUSED, 3)
    clock.advance(5000)
    succeed()
    succeed()
    expect(summary()).toEqual([
      ['first', 'connection_refused', 1],
      ['recovered', 3, 5000],
    ])
    clock.advance(120_000)
    expect(summary()).toEqual([])
  })

  it('of a backend without requests leave no timer', () => {
    fail(REFUSED)
    clock.advance(60_000)
    expect(summary()).toEqual([['first', 'connection_refused', 1]])
    expect(clock.pendingTimers).toBe(0)
    fail(REFUSED)
    clock.advance(60_000)
    expect(summary()).toEqual([['repeated', 'connection_refused', 1]])
  })

  it('of a backend that fails and recovers repeatedly have a bounded number of reports', () => {
    for (let round = 0; round < 1000; round += 1) {
      fail(round % 2 === 0 ? REFUSED : RESET)
      succeed()
    }
    expect(summary()).toHaveLength(5)
    clock.advance(60_000)
    expect(summary()).toEqual([
      ['repeated', 'connection_reset', 997],
      ['recovered', 998, expect.any(Number)],
    ])
  })

  it('begin at the first failure, even if it was not reported yet', () => {
    fail(REFUSED)
    for (let round = 0; round < 2; round += 1) {
      fail(RESET)
      succeed()
    }
    expect(summary()).toHaveLength(5)
    fail(REFUSED)
    clock.advance(30_000)
    fail(REFUSED)
    clock.advance(20_000)
    succeed()
    clock.advance(10_000)
    expect(summary()).toEqual([
      ['repeated', 'connection_refused', 2],
      ['recovered', 2, 60_000],
    ])
  })

  it('that are not reported yet are reported at the end', () => {
    fail(REFUSED, 5)
    summary()
    log.close()
    expect(summary()).toEqual([['repeated', 'connection_refused', 4]])
  })
})
