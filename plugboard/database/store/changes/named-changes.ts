// Reads changes of the log: the filters, the names of services, and rows in camelCase.

import { and, asc, eq, getTableColumns, gt, gte, inArray, or, type SQL, sql } from 'drizzle-orm'
import type { ServiceId } from '../../../common/ids/row-ids.ts'
import type { JsonObject } from '../../../common/json.ts'
import { changes } from '../../schema.ts'
import type { Sql } from '../../sql-runner.ts'
import type { Change, ChangeEntity, ChangeFilters, NamedChange } from '../store.ts'

/** Selects the name that the service of a route or an override has now. Rows of other entities have no `service_id`. */
const serviceName = (row: typeof changes.before | typeof changes.after) =>
  sql<string | null>`(SELECT s.name FROM plugboard.services s WHERE s.id = (${row} ->> 'service_id')::uuid)`

const NAMED = {
  ...getTableColumns(changes),
  serviceBefore: serviceName(changes.before),
  serviceAfter: serviceName(changes.after),
}

/** Resolves with the changes after `sequence`, the oldest first. */
export async function namedAfter(
  db: Sql,
  sequence: number,
  limit: number,
  filters: ChangeFilters = {},
): Promise<NamedChange[]> {
  const rows = await selectNamed(db)
    .where(and(gt(changes.sequence, sequence), ...conditionsOf(filters)))
    .orderBy(asc(changes.sequence))
    .limit(limit)
  return rows.map(withNames)
}

export const selectNamed = (db: Sql) => db.select(NAMED).from(changes).$dynamic()

export function conditionsOf(filters: ChangeFilters): (SQL | undefined)[] {
  const { entities, entityId, actor, action, routeId, serviceId } = filters
  const row = (entity: ChangeEntity, id: string | undefined) =>
    id === undefined ? undefined : and(eq(changes.entity, entity), eq(changes.entityId, id))
  return [
    entities === undefined ? undefined : inArray(changes.entity, [...entities]),
    entityId === undefined ? undefined : eq(changes.entityId, entityId),
    actor === undefined ? undefined : eq(changes.actor, actor),
    action === undefined ? undefined : eq(changes.action, action),
    or(row('route', routeId), row('service', serviceId), ofOverrides(serviceId)),
  ]
}

/** Selects the changes of the processes of a service. */
function ofOverrides(serviceId: ServiceId | undefined): SQL | undefined {
  if (serviceId === undefined) return undefined
  const id = sql`coalesce(${changes.after}, ${changes.before}) ->> 'service_id'`
  return and(eq(changes.entity, 'process_override'), eq(id, serviceId))
}

/** Resolves with the changes from `sequence` on, the oldest first. The change with `sequence` is included. */
export async function changesFrom(db: Sql, sequence: number, limit: number): Promise<Change[]> {
  const rows = await db
    .select()
    .from(changes)
    .where(gte(changes.sequence, sequence))
    .orderBy(asc(changes.sequence))
    .limit(limit)
  return rows.map(inCamelCase)
}

export function withNames({ serviceBefore, serviceAfter, ...row }: NamedChange): NamedChange {
  return { ...inCamelCase(row), serviceBefore, serviceAfter }
}

/** Renames the columns of the triggers' rows to properties. Only the keys of the row are renamed, not the keys of a policy. */
function inCamelCase(row: Change): Change {
  return { ...row, before: renamed(row.before), after: renamed(row.after) }
}

function renamed(row: JsonObject | null): JsonObject | null {
  if (row === null) return null
  return Object.fromEntries(
    Object.entries(row).map(([key, value]) => [
      key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  )
}
