import { expect, test } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { FailedAttempts } from './failed-attempts.ts'

test('allows a burst, then one attempt per interval', () => {
  const clock = new ManualClock()
  const failures = new FailedAttempts({ clock, burst: 3, regainMs: 1000 })
  for (let i = 0; i < 3; i += 1) {
    expect(failures.waitMs('10.0.0.1')).toBe(0)
    failures.failed('10.0.0.1')
  }
  expect(failures.waitMs('10.0.0.1')).toBe(1000)
  failures.failed('10.0.0.1')
  expect(failures.waitMs('10.0.0.1')).toBe(1000)
  clock.advance(1000)
  expect(failures.waitMs('10.0.0.1')).toBe(0)
  clock.advance(2000)
  failures.failed('10.0.0.1')
  expect(failures.waitMs('10.0.0.1')).toBe(0)
})

test('bounds the number of buckets, and removes the one with the oldest failure first', () => {
  const failures = new FailedAttempts({ clock: new ManualClock(), burst: 1, maxBuckets: 2 })
  for (const address of ['10.0.0.1', '10.0.0.2', '10.0.0.1', '10.0.0.3']) failures.failed(address)
  expect(failures.waitMs('10.0.0.2')).toBe(0)
  expect(failures.waitMs('10.0.0.1')).toBeGreaterThan(0)
})

test('removes the failure that was counted before the outcome of an attempt', () => {
  const failures = new FailedAttempts({ clock: new ManualClock(), burst: 2, regainMs: 1000 })
  failures.failed('10.0.0.1')
  failures.failed('10.0.0.1')
  expect(failures.waitMs('10.0.0.1')).toBe(1000)
  failures.forgive('10.0.0.1')
  expect(failures.waitMs('10.0.0.1')).toBe(0)
  failures.forgive('10.0.0.2')
})
