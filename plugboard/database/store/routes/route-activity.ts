// When each route was last used, as replicas record it once a minute, and the end of claims with a lifetime. Times are the
// database's: a replica gives ages. A lifetime counts only while some replica records (`plugboard.recorded_cutoff`,
// migrations/0009_route_activity.sql). So a route is not deleted because the database or all replicas were down.

import { formatMount } from '@vera-stack/shared/mounts.ts'
import { and, eq, inArray, notExists, sql } from 'drizzle-orm'
import type { RouteId, ServiceId } from '../../../common/ids/row-ids.ts'
import { recordingPeriods, routes, services } from '../../schema.ts'
import { lockWriters, type Sql, type SqlRunner } from '../../sql-runner.ts'
import type { ExpiredRoute, RouteActivityStore, RouteUse } from '../store.ts'

/** Rows in one statement. */
const BATCH_ROWS = 5_000
/** A period ends when no replica has recorded for longer than two intervals (route-recorder.ts). */
const LONGEST_GAP = sql`interval '150 seconds'`
/** The limit of periods. Each outage of all replicas begins a new one. Time before the oldest period does not count. */
const MAX_PERIODS = 1_000
const MAX_TELEPHONE_LENGTH = 255

export function createRouteActivityStore(runner: SqlRunner): RouteActivityStore {
  return {
    record: uses =>
      runner.read(async db => {
        for (let start = 0; start < uses.length; start += BATCH_ROWS) {
          await writeUses(db, uses.slice(start, start + BATCH_ROWS))
        }
        // This comes last, so that a period never covers time whose uses are not written.
        await extendPeriod(db)
      }),
    expired: limit => runner.read(db => findExpired(db, sql`true`, sql`LIMIT ${limit}`)),
    removeExpired: (ids, by) => runner.write(by, tx => removeExpired(tx, ids)),
  }
}

/** Writes the uses of routes and of their services in the order of their ids, so that replicas that write the same routes do not deadlock. */
async function writeUses(db: Sql, uses: readonly RouteUse[]): Promise<void> {
  const rows = uses.map(({ routeId, servedAgeMs, telephone, lineAgeMs }) => ({
    id: routeId,
    served_age: servedAgeMs,
    line_age: lineAgeMs,
    telephone: telephone === undefined ? undefined : storable(telephone),
  }))
  await db.execute(sql`
    WITH written AS (
      INSERT INTO plugboard.route_activity AS known (route_id, served_at, telephone, line_at)
      SELECT route.id, now() - used.served_age * interval '1 millisecond', used.telephone,
        now() - used.line_age * interval '1 millisecond'
      FROM json_to_recordset(${JSON.stringify(rows)}::json)
        AS used (id uuid, served_age float8, line_age float8, telephone text)
      JOIN plugboard.routes route ON route.id = used.id
      ORDER BY route.id
      ON CONFLICT (route_id) DO UPDATE SET
        served_at = greatest(known.served_at, excluded.served_at),
        telephone = CASE WHEN known.served_at IS NULL OR excluded.served_at >= known.served_at
          THEN coalesce(excluded.telephone, known.telephone) ELSE known.telephone END,
        line_at = greatest(known.line_at, excluded.line_at)
      RETURNING route_id, served_at
    )
    INSERT INTO plugboard.service_activity AS known (service_id, served_at)
    SELECT route.service_id, max(written.served_at)
    FROM written JOIN plugboard.routes route ON route.id = written.route_id
    WHERE written.served_at IS NOT NULL AND route.service_id IS NOT NULL
    GROUP BY route.service_id ORDER BY route.service_id
    ON CONFLICT (service_id) DO UPDATE SET served_at = greatest(known.served_at, excluded.served_at)`)
}

/** Begins the lifetime of a restored route. Otherwise the time before its restoration would count. */
export async function noteRestored(tx: Sql, id: RouteId): Promise<void> {
  await tx.execute(sql`
    INSERT INTO plugboard.route_activity (route_id, line_at)
    SELECT id, clock_timestamp() FROM plugboard.routes WHERE id = ${id} AND lifetime_ms IS NOT NULL
    ON CONFLICT (route_id) DO UPDATE SET line_at = excluded.line_at`)
}

/** Returns a name that Postgres can store: without NUL and single surrogates. Telephones choose their names freely. */
function storable(name: string): string {
  return name.replaceAll('\0', '').slice(0, MAX_TELEPHONE_LENGTH).toWellFormed()
}

async function extendPeriod(db: Sql): Promise<void> {
  const { rowCount } = await db.execute(sql`
    WITH extended AS (
      UPDATE plugboard.recording_periods SET ended_at = greatest(ended_at, now())
      WHERE ended_at >= now() - ${LONGEST_GAP} RETURNING 1
    )
    INSERT INTO plugboard.recording_periods (started_at, ended_at)
    SELECT now(), now() WHERE NOT EXISTS (SELECT FROM extended)`)
  if (rowCount === 0) return
  await db.execute(sql`
    DELETE FROM ${recordingPeriods} WHERE ended_at <= (
      SELECT ended_at FROM ${recordingPeriods} ORDER BY ended_at DESC OFFSET ${MAX_PERIODS} LIMIT 1)`)
}

async function findExpired(
  db: Sql,
  condition: ReturnType<typeof sql>,
  end: ReturnType<typeof sql>,
): Promise<ExpiredRoute[]> {
  const { rows } = await db.execute<{
    id: RouteId
    host: string
    mount_path: string
    service: string | null
  }>(sql`
    SELECT route.id, route.host, route.mount_path, service.name AS service
    FROM plugboard.routes route
    JOIN plugboard.route_activity activity ON activity.route_id = route.id
    LEFT JOIN plugboard.services service ON service.id = route.service_id
    WHERE route.deleted_at IS NULL AND route.lifetime_ms IS NOT NULL
      AND activity.line_at <= plugboard.recorded_cutoff(route.lifetime_ms * interval '1 millisecond')
      AND ${condition}
    ORDER BY route.id ${end}`)
  return rows.map(({ id, host, mount_path: path, service }) => ({
    id,
    service,
    mount: formatMount({ host, path }),
  }))
}

/**
 * A telephone that comes back updates `line_at` (claim-mount.ts). So its row is locked here, and its age is read again: either
 * the telephone is first and the route stays, or it finds no row and claims the mount anew.
 */
async function removeExpired(tx: Sql, ids: readonly string[]): Promise<ExpiredRoute[]> {
  if (ids.length === 0) return []
  await lockWriters(tx)
  const wanted = sql`route.id IN ${[...ids]}`
  const expired = await findExpired(tx, wanted, sql`FOR UPDATE OF activity`)
  if (expired.length === 0) return []
  const removed = await tx
    .delete(routes)
    .where(
      inArray(
        routes.id,
        expired.map(({ id }) => id),
      ),
    )
    .returning({ serviceId: routes.serviceId })
  const serviceIds = new Set(removed.flatMap(({ serviceId }) => (serviceId === null ? [] : [serviceId])))
  await removeUnused(tx, [...serviceIds])
  return expired
}

/** Deletes services that claims with a lifetime have created, once no route needs them. */
async function removeUnused(tx: Sql, serviceIds: readonly ServiceId[]): Promise<void> {
  if (serviceIds.length === 0) return
  const ephemeral = and(inArray(services.id, [...serviceIds]), eq(services.ephemeral, true))
  const ofService = tx.select({ one: sql`1` }).from(routes).where(eq(routes.serviceId, services.id))
  await tx.delete(services).where(and(ephemeral, notExists(ofService)))
}
