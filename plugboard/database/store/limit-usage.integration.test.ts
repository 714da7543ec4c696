import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres/postgres.ts'
import type { LimitUsage, LimitUsageStore } from './store.ts'

const HOUR_MS = 3_600_000
/** The time of statements, and the rounding of the column to ms. */
const LATE_MS = 10_000

let db: TestDatabase
let usage: LimitUsageStore
let client: pg.Client

beforeAll(async () => {
  db = await createTestDatabase()
  usage = db.open().store.limitUsage
  client = new pg.Client({ connectionString: db.url })
  await client.connect()
})
afterEach(async () => {
  await client.query('DELETE FROM plugboard.limit_usage')
})
afterAll(async () => {
  await client.end()
  await db.drop()
})

const used = (key: number, aheadMs: number, isShared = true): LimitUsage => ({ key, isShared, aheadMs })
const keysOf = (usages: readonly LimitUsage[]): number[] => usages.map(({ key }) => key)
const count = async (): Promise<number> =>
  Number((await client.query('SELECT count(*) FROM plugboard.limit_usage')).rows[0].count)

it('stores the distance to the time at which the whole burst is available', async () => {
  await usage.write('one', [used(Number.MAX_SAFE_INTEGER, HOUR_MS), used(0, 2 * HOUR_MS)])
  const [first, second] = await usage.read('two', 10)
  expect([first?.key, second?.key]).toEqual([0, Number.MAX_SAFE_INTEGER])
  for (const [row, ms] of [
    [first, 2 * HOUR_MS],
    [second, HOUR_MS],
  ] as const) {
    expect(row?.aheadMs).toBeLessThan(ms + 1000)
    expect(row?.aheadMs).toBeGreaterThan(ms - LATE_MS)
  }
})

it('keeps the later time when two replicas write one key', async () => {
  await usage.write('one', [used(7, 3 * HOUR_MS)])
  await usage.write('two', [used(7, HOUR_MS)])
  const [row, another] = await usage.read('three', 10)
  expect(another).toBeUndefined()
  expect(row?.aheadMs).toBeGreaterThan(3 * HOUR_MS - LATE_MS)
})

it('returns the keys of limits with the scope of a replica to that replica only', async () => {
  await usage.write('one', [used(1, HOUR_MS, false), used(2, HOUR_MS)])
  await usage.write('two', [used(1, 2 * HOUR_MS, false)])
  expect(keysOf(await usage.read('one', 10)).sort()).toEqual([1, 2])
  const [own] = (await usage.read('two', 10)).filter(({ isShared }) => !isShared)
  expect(own?.aheadMs).toBeGreaterThan(2 * HOUR_MS - LATE_MS)
  expect(keysOf(await usage.read('three', 10))).toEqual([2])
})

it('returns at most the requested number of keys: the keys that are restored last', async () => {
  await usage.write('one', [used(1, HOUR_MS), used(2, 3 * HOUR_MS), used(3, 2 * HOUR_MS)])
  expect(keysOf(await usage.read('one', 2))).toEqual([2, 3])
})

it('does not return restored keys, and deletes them', async () => {
  await usage.write('one', [used(1, -1000), used(2, HOUR_MS)])
  expect(keysOf(await usage.read('one', 10))).toEqual([2])
  expect([await usage.prune(), await usage.prune(), await count()]).toEqual([1, 0, 1])
})

it('stores a time that is far in the future as ten years', async () => {
  await usage.write('one', [used(1, Number.MAX_SAFE_INTEGER)])
  const [row] = await usage.read('one', 1)
  expect(row?.aheadMs).toBeLessThan(11 * 365 * 24 * HOUR_MS)
})

it('takes writes of many keys by several replicas at once', async () => {
  const many = Array.from({ length: 12_000 }, (_, key) => used(key, HOUR_MS + key))
  await Promise.all([
    usage.write('one', many),
    usage.write('two', many.toReversed()),
    usage.write('three', many),
    usage.prune(),
  ])
  expect(await count()).toBe(12_000)
})
