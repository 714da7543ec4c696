// `route prune`: deletes routes that had no request for a given time. Only time during which a replica recorded requests counts
// (route-activity.ts), so a route does not count as unused because all replicas were down.

import { and, inArray, isNotNull, isNull, sql } from 'drizzle-orm'
import { routeActivity, routes } from '../../schema.ts'
import { lockWriters, type Sql, type SqlRunner } from '../../sql-runner.ts'
import type { Mutation, Pruned, PruneRequest, Route } from '../store.ts'
import { selectRoutes, withMount } from './route-rows.ts'

/** Routes in one transaction. */
const MAX_PRUNED = 500

export function pruneRoutes(runner: SqlRunner, request: PruneRequest, by: Mutation): Promise<Pruned> {
  if (request.dryRun)
    return runner.read(async db => ({ ...(await findUnused(db, request)), recordedMs: await recordedMs(db) }))
  return runner.write(by, async tx => {
    await lockWriters(tx)
    const found = await findUnused(tx, request)
    if (found.routes.length > 0) {
      const ids = found.routes.map(({ id }) => id)
      await tx.update(routes).set({ deletedAt: sql`clock_timestamp()` }).where(inArray(routes.id, ids))
    }
    return { ...found, recordedMs: await recordedMs(tx) }
  })
}

async function findUnused(db: Sql, request: PruneRequest): Promise<Omit<Pruned, 'recordedMs'>> {
  const { unusedMs, claimedOnly, allowed } = request
  const query = selectRoutes(db)
    .where(
      and(
        isNull(routes.deletedAt),
        isNull(routes.lifetimeMs),
        claimedOnly ? isNotNull(routes.claimedBy) : undefined,
        // A subquery, so that it is computed once.
        sql`greatest(${routeActivity.servedAt}, ${routes.createdAt})
          <= (SELECT plugboard.recorded_cutoff(${unusedMs} * interval '1 millisecond'))`,
      ),
    )
    .orderBy(routes.host, routes.mountPath)
  // The limits of a key are patterns, which the database cannot evaluate.
  const rows = await (allowed === undefined ? query.limit(MAX_PRUNED + 1) : query)
  const found: Route[] = []
  for (const row of rows) {
    const route = withMount(row)
    if (allowed === undefined || allowed(route)) found.push(route)
    if (found.length > MAX_PRUNED) break
  }
  return { routes: found.slice(0, MAX_PRUNED), more: found.length > MAX_PRUNED }
}

async function recordedMs(db: Sql): Promise<number> {
  const { rows } = await db.execute<{ ms: string }>(sql`
    SELECT coalesce(sum(extract(epoch FROM upper(period) - lower(period))), 0) * 1000 AS ms FROM unnest((
      SELECT range_agg(tstzrange(started_at, ended_at)) FROM plugboard.recording_periods)) AS period`)
  return Math.round(Number(rows[0]?.ms ?? 0))
}
