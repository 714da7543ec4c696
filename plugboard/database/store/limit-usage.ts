// The use of limits with a window of an hour or more. Replicas give times as distances from now, and the database adds its clock, so
// the clocks of replicas do not matter. Not a part of the change log.

import { sql } from 'drizzle-orm'
import { limitUsage } from '../schema.ts'
import type { SqlRunner } from '../sql-runner.ts'
import type { LimitUsage, LimitUsageStore } from './store.ts'

/** Rows in one statement. */
const BATCH_ROWS = 5_000
/** Longest distance that is stored, ms: 10 years, so that no time is beyond the range of the column. */
const MAX_AHEAD_MS = 10 * 365 * 86_400_000
const ALL_REPLICAS = ''

export function createLimitUsageStore(runner: SqlRunner): LimitUsageStore {
  return {
    write: (replica, usages) =>
      runner.read(async db => {
        for (let start = 0; start < usages.length; start += BATCH_ROWS) {
          const rows = usages.slice(start, start + BATCH_ROWS).map(usage => rowOf(replica, usage))
          // The order of the keys is the same on all replicas, so that two of them do not deadlock.
          await db.execute(sql`
            INSERT INTO ${limitUsage} AS known (key, replica, full_at)
            SELECT used.key, used.replica, clock_timestamp() + used.ahead * interval '1 millisecond'
            FROM json_to_recordset(${JSON.stringify(rows)}::json) AS used (key bigint, replica text, ahead float8)
            ORDER BY used.key, used.replica
            ON CONFLICT (key, replica) DO UPDATE SET full_at = greatest(known.full_at, excluded.full_at)`)
        }
      }),
    read: (replica, limit) =>
      runner.read(async db => {
        const { rows } = await db.execute<{ key: string; replica: string; ahead: number }>(sql`
          SELECT key, replica, (extract(epoch FROM full_at - clock_timestamp()) * 1000)::float8 AS ahead
          FROM ${limitUsage}
          WHERE replica IN (${ALL_REPLICAS}, ${replica}) AND full_at > clock_timestamp()
          ORDER BY full_at DESC LIMIT ${limit}`)
        return rows.map(row => ({
          key: Number(row.key),
          isShared: row.replica === ALL_REPLICAS,
          aheadMs: row.ahead,
        }))
      }),
    prune: () =>
      runner.read(async db => {
        // Rows that another replica writes or deletes now are left to the next call.
        const { rowCount } = await db.execute(sql`
          DELETE FROM ${limitUsage} WHERE (key, replica) IN (
            SELECT key, replica FROM ${limitUsage} WHERE full_at <= clock_timestamp()
            ORDER BY full_at LIMIT ${BATCH_ROWS} FOR UPDATE SKIP LOCKED)`)
        return rowCount ?? 0
      }),
  }
}

function rowOf(replica: string, { key, isShared, aheadMs }: LimitUsage) {
  return { key, replica: isShared ? ALL_REPLICAS : replica, ahead: Math.min(aheadMs, MAX_AHEAD_MS) }
}
