// Leases for work that only one replica does at a time. They expire by the clock of the database, so a lease of a dead replica
// ends after at most its length. Not a part of the change log.

import { and, eq, sql } from 'drizzle-orm'
import { leases } from '../schema.ts'
import type { SqlRunner } from '../sql-runner.ts'
import type { LeaseStore } from './store.ts'

export function createLeaseStore(runner: SqlRunner): LeaseStore {
  return {
    take: (name, owner, leaseMs) =>
      runner.read(async db => {
        const { rows } = await db.execute(sql`
          INSERT INTO plugboard.leases AS held (name, owner, expires_at)
          VALUES (${name}, ${owner}, clock_timestamp() + ${leaseMs} * interval '1 millisecond')
          ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at
          WHERE held.owner = excluded.owner OR held.expires_at < clock_timestamp()
          RETURNING name`)
        return rows.length === 1
      }),
    release: (name, owner) =>
      runner.read(async db => {
        await db.delete(leases).where(and(eq(leases.name, name), eq(leases.owner, owner)))
      }),
  }
}
