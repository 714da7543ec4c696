import { afterEach, beforeEach, expect, test } from 'vitest'
import { AdminApiHarness, type CallResponse } from '../../../test/support/admin-api/admin-api.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres/postgres.ts'

interface Wait {
  readonly sequence: number
  readonly signal: AbortSignal | undefined
  readonly applied: PromiseWithResolvers<void>
}

let database: TestDatabase
let api: AdminApiHarness
const clock = new ManualClock()
/** Resolves with the next wait for a sequence. */
let waiting: PromiseWithResolvers<Wait>

beforeEach(async () => {
  database = await createTestDatabase()
  api = await AdminApiHarness.create(database.open().store, { clock })
  waiting = Promise.withResolvers()
  api.directory.waitForSequence = (sequence, signal) => {
    const applied = Promise.withResolvers<void>()
    signal?.addEventListener('abort', () => applied.reject(signal.reason))
    waiting.resolve({ sequence, signal, applied })
    return applied.promise
  }
})
afterEach(() => database.drop())

const add = (): Promise<CallResponse> => api.call('POST', '/v1/services', { body: { name: 'shop' } })

test('responds to a change after this replica has applied it', async () => {
  let responded = false
  const response = add().finally(() => {
    responded = true
  })
  const wait = await waiting.promise
  expect(wait.sequence).toBe(await database.open().store.changes.latest())
  expect(responded).toBe(false)
  wait.applied.resolve()
  expect((await response).status).toBe(201)
  expect(clock.pendingTimers).toBe(0)
})

test('responds after a timeout when the change is not applied in time', async () => {
  const response = add()
  await waiting.promise
  clock.advance(1000)
  expect((await response).status).toBe(201)
})

test('does not delay reads and failed changes', async () => {
  expect((await api.call('GET', '/v1/services')).status).toBe(200)
  expect((await api.call('POST', '/v1/services', { body: { name: '' } })).status).toBe(400)
  expect(clock.pendingTimers).toBe(0)
})
