// Records the persons who look at captured exchanges, and the replays. The trigger of migrations/0015_inspections.sql writes an entry of
// the change log for each new row.

import { lt, sql } from 'drizzle-orm'
import { inspections } from '../schema.ts'
import type { SqlRunner } from '../sql-runner.ts'
import type { InspectedService, InspectionStore, Mutation } from './store.ts'

export function createInspectionStore(runner: SqlRunner): InspectionStore {
  const record = (
    service: InspectedService,
    by: Mutation,
    row: { readonly kind: 'read' } | { readonly kind: 'replay'; readonly exchange: string },
  ): Promise<number> =>
    runner.write(by, async tx => {
      await tx.delete(inspections).where(lt(inspections.createdAt, sql`now() - interval '1 day'`))
      await tx
        .insert(inspections)
        .values({
          actor: by.actor,
          serviceId: service.id,
          service: service.name,
          hour: sql`date_trunc('hour', now())`,
          ...row,
        })
        .onConflictDoNothing()
      const { rows } = await tx.execute<{ restMs: number }>(sql`
        SELECT 1000 * extract(epoch FROM date_trunc('hour', now()) + interval '1 hour' - now())::float8 AS "restMs"`)
      return rows[0]?.restMs ?? 0
    })
  return {
    recordRead: (service, by) => record(service, by, { kind: 'read' }),
    recordReplay: async (service, exchange, by) => {
      await record(service, by, { kind: 'replay', exchange })
    },
  }
}
