import { expect, it } from 'vitest'
import { type BudgetedStreams, endRetry, newRetryCounts, takeRetry } from './retry-budget.ts'

/** A service whose streams the test opens and closes. */
class Service implements BudgetedStreams {
  readonly holders: object[] = []
  readonly retries = newRetryCounts()
  opened = 0

  open(count: number): void {
    this.opened += count
    for (let index = 0; index < count; index += 1) this.holders.push({})
  }

  close(count: number): void {
    this.holders.splice(0, count)
  }

  /** Starts retries that stay in flight, until the budget is used up. Returns their number. */
  fill(percent: number, nowMs: number): number {
    for (let count = 0; ; count += 1) {
      if (!takeRetry(this, percent, nowMs)) return count
      this.open(1)
    }
  }

  /** Starts retries that end at once, until the budget is used up. Returns their number. */
  repeat(percent: number, nowMs: number): number {
    for (let count = 0; ; count += 1) {
      if (!takeRetry(this, percent, nowMs)) return count
      this.open(1)
      endRetry(this)
      this.close(1)
    }
  }
}

it.each([
  [0, 20, 3],
  [100, 0, 3],
  [10, 20, 3],
  [100, 20, 20],
  [1000, 5, 50],
])('with %i open streams and %i %%, at most %i retries are in flight', (open, percent, wanted) => {
  const service = new Service()
  service.open(open)
  expect(service.fill(percent, 0)).toBe(wanted)
  endRetry(service)
  expect(service.fill(percent, 0)).toBe(1)
})

it('limits retries that fail at once to the share of the requests of a second', () => {
  const service = new Service()
  expect(service.repeat(20, 0)).toBe(10)
  for (let sent = 0; sent < 500; sent += 1) {
    service.open(1)
    service.close(1)
  }
  expect(service.repeat(20, 999)).toBe(90)
  expect(service.repeat(20, 999)).toBe(0)
  expect(service.repeat(20, 1000)).toBe(10)
})

it('keeps the attempts at a quarter above the requests when every attempt fails at once', () => {
  const service = new Service()
  let attempts = 0
  const requests = 15_000
  for (let sent = 0; sent < requests; sent += 1) {
    attempts += 1
    service.open(1)
    service.close(1)
    for (let retry = 0; retry < 2 && takeRetry(service, 20, sent * 2); retry += 1) {
      attempts += 1
      service.open(1)
      service.close(1)
      endRetry(service)
    }
  }
  expect(attempts / requests).toBeLessThanOrEqual(1.25)
  expect(attempts / requests).toBeGreaterThan(1.15)
})
