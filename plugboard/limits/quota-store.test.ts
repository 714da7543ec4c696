import { VeraError } from '@vera-stack/shared/errors.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { expect, it, vi } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { compileLimits } from './compiled-limits.ts'
import { LimitTable } from './limit-table.ts'
import { type LimitedRequest, Limiter } from './limiter.ts'
import { QuotaStore, type StoredQuota, WRITE_INTERVAL_MS } from './quota-store.ts'

const HOUR_MS = 3_600_000
const REQUEST: LimitedRequest = {
  ...{ clientAddress: '192.0.2.1', host: 'app.example.com', hostPattern: 'app.example.com' },
  ...{ path: '/', method: 'GET', fields: [], identity: undefined },
}

/** The table of the database, with the merge of database/store/limit-usage.ts. */
class Rows {
  readonly clock: ManualClock
  readonly fullAt = new Map<number, number>()
  failure: Error | undefined
  writes = 0
  pruned = 0

  constructor(clock: ManualClock) {
    this.clock = clock
  }

  read = async (limit: number): Promise<StoredQuota[]> => {
    if (this.failure !== undefined) throw this.failure
    const nowMs = this.clock.now()
    return [...this.fullAt]
      .slice(0, limit)
      .map(([key, fullAtMs]) => ({ key, isShared: true, aheadMs: fullAtMs - nowMs }))
  }

  write = async (quotas: readonly StoredQuota[]): Promise<void> => {
    if (this.failure !== undefined) throw this.failure
    this.writes += 1
    for (const { key, aheadMs } of quotas)
      this.fullAt.set(key, Math.max(this.fullAt.get(key) ?? 0, this.clock.now() + aheadMs))
  }

  prune = async (): Promise<number> => {
    this.pruned += 1
    return 0
  }
}

function startReplica(clock: ManualClock, rows: Rows, { windowSeconds = 86_400, maxKeys = 1000 } = {}) {
  const table = new LimitTable(maxKeys)
  const log = { ...silentLogger, warn: vi.fn() }
  const quotas = new QuotaStore({
    table,
    rows,
    clock,
    log,
    isReachable: () => rows.failure === undefined,
  })
  const limiter = new Limiter({ table, onAdmitted: (limit, slot) => quotas.admitted(limit, slot) })
  const { beforeCredential } = compileLimits([{ name: 'plan', limit: 10, windowSeconds }], 'row')
  const passes = (clientAddress = '192.0.2.1'): boolean =>
    limiter.check(beforeCredential, { ...REQUEST, clientAddress }, clock.now()).kind === 'admitted'
  return { table, quotas, passes, log }
}

const settled = (clock: ManualClock): Promise<void> => clock.advanceAsync(0)

it('keeps the count of a window of a day over a restart', async () => {
  const clock = new ManualClock()
  const rows = new Rows(clock)
  const first = startReplica(clock, rows)
  await first.quotas.start()
  for (let count = 0; count < 8; count += 1) expect(first.passes()).toBe(true)
  await first.quotas.stop()
  clock.advance(1000)
  const second = startReplica(clock, rows)
  await second.quotas.start()
  expect([second.passes(), second.passes(), second.passes()]).toEqual([true, true, false])
  await second.quotas.stop()
  expect(clock.pendingTimers).toBe(0)
})

it('loses at most the requests of 30 s in a crash', async () => {
  const clock = new ManualClock()
  const rows = new Rows(clock)
  const crashed = startReplica(clock, rows)
  await crashed.quotas.start()
  for (let count = 0; count < 6; count += 1) crashed.passes()
  expect(crashed.quotas.unwritten).toBe(1)
  await clock.advanceAsync(WRITE_INTERVAL_MS)
  expect([crashed.quotas.unwritten, rows.writes, rows.pruned]).toEqual([0, 1, 1])
  crashed.passes()
  const next = startReplica(clock, rows)
  await next.quotas.start()
  expect([1, 2, 3, 4, 5].map(() => next.passes())).toEqual([true, true, true, true, false])
})

it('writes only keys that have changed, and not those whose quota is restored', async () => {
  const clock = new ManualClock()
  const rows = new Rows(clock)
  const { quotas, passes } = startReplica(clock, rows, { windowSeconds: 3600 })
  await quotas.start()
  passes('192.0.2.1')
  await clock.advanceAsync(WRITE_INTERVAL_MS)
  await clock.advanceAsync(WRITE_INTERVAL_MS)
  expect(rows.writes).toBe(1)
  passes('192.0.2.2')
  // One request of 10 in an hour is restored after 6 minutes.
  rows.failure = new VeraError('database_unavailable', 'away')
  await clock.advanceAsync(HOUR_MS, WRITE_INTERVAL_MS)
  rows.failure = undefined
  await clock.advanceAsync(WRITE_INTERVAL_MS)
  expect([rows.fullAt.size, quotas.unwritten]).toEqual([1, 0])
})

it('does not store windows of less than an hour', async () => {
  const clock = new ManualClock()
  const rows = new Rows(clock)
  const { quotas, passes } = startReplica(clock, rows, { windowSeconds: 3599 })
  await quotas.start()
  passes()
  expect(quotas.unwritten).toBe(0)
  await quotas.stop()
  expect(rows.writes).toBe(0)
})

it('continues without the database, and stores and reads the counts later', async () => {
  const clock = new ManualClock()
  const rows = new Rows(clock)
  const before = startReplica(clock, rows)
  await before.quotas.start()
  for (let count = 0; count < 9; count += 1) before.passes()
  await before.quotas.stop()

  rows.failure = new VeraError('database_unavailable', 'away')
  const { quotas, passes, log } = startReplica(clock, rows)
  await quotas.start()
  expect([passes(), passes()]).toEqual([true, true])
  await clock.advanceAsync(3 * WRITE_INTERVAL_MS, WRITE_INTERVAL_MS)
  expect(quotas.unwritten).toBe(1)
  await quotas.stop()
  expect([quotas.unwritten, log.warn.mock.calls.length]).toEqual([1, 0])

  const again = startReplica(clock, rows)
  await again.quotas.start()
  rows.failure = undefined
  await clock.advanceAsync(WRITE_INTERVAL_MS)
  expect([again.passes(), again.passes()]).toEqual([true, false])
})

it('logs one warning for a fault that is no outage', async () => {
  const clock = new ManualClock()
  const rows = new Rows(clock)
  const { quotas, passes, log } = startReplica(clock, rows)
  await quotas.start()
  passes()
  rows.failure = new Error('permission denied')
  await clock.advanceAsync(3 * WRITE_INTERVAL_MS, WRITE_INTERVAL_MS)
  expect([log.warn.mock.calls.length, quotas.unwritten]).toEqual([1, 1])
  rows.failure = undefined
  await quotas.stop()
  expect(quotas.unwritten).toBe(0)
})

it('holds at most as many changed keys as the table has slots', async () => {
  const clock = new ManualClock()
  const rows = new Rows(clock)
  const { quotas, passes, table } = startReplica(clock, rows, { maxKeys: 100 })
  await quotas.start()
  for (let client = 0; client < 1000; client += 1) passes(`192.0.${client >> 8}.${client & 255}`)
  expect([table.size, quotas.unwritten]).toEqual([100, 100])
  await quotas.stop()
  // A stored count evicts no key that is in use.
  const next = startReplica(clock, rows, { maxKeys: 100 })
  for (let client = 0; client < 100; client += 1) next.passes(`198.51.100.${client}`)
  await next.quotas.start()
  await settled(clock)
  expect(next.table.evictions).toBe(0)
})
