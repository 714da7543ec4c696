import { beforeEach, expect, test } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { waitUntilApplied } from './applied-changes.ts'

let clock: ManualClock
let waiting: PromiseWithResolvers<{ readonly sequence: number; readonly applied: () => void }>
beforeEach(() => {
  clock = new ManualClock()
  waiting = Promise.withResolvers()
})

const directory = {
  waitForSequence: (sequence: number, signal?: AbortSignal): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    signal?.addEventListener('abort', () => reject(signal.reason))
    waiting.resolve({ sequence, applied: resolve })
    return promise
  },
}
const wait = (latest: () => Promise<number> = () => Promise.resolve(7)): Promise<void> =>
  waitUntilApplied({ changes: { latest }, directory, clock, timeoutMs: 1000 })

test('waits for the last change that is committed', async () => {
  const done = wait()
  const { sequence, applied } = await waiting.promise
  expect(sequence).toBe(7)
  applied()
  await done
  expect(clock.pendingTimers).toBe(0)
})

test('rejects when the time is over', async () => {
  const done = wait()
  await waiting.promise
  clock.advance(1000)
  await expect(done).rejects.toThrow('this replica did not apply the change within 1000 ms')
})

test('rejects with the error of the database, and leaves no timer', async () => {
  await expect(wait(() => Promise.reject(new Error('away')))).rejects.toThrow('away')
  expect(clock.pendingTimers).toBe(0)
})
