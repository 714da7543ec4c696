// Queries of the log of changes: audit log, undo history and event stream in one. Its rows are written by the
// triggers of migrations/0001_rules.sql, never here.

import { and, asc, desc, eq, getTableColumns, gt, gte, lt, type SQL, sql } from 'drizzle-orm'
import type { JsonObject } from '../../common/json.ts'
import { changeHead, changes } from '../schema.ts'
import type { Sql, SqlRunner } from '../sql-runner.ts'
import type { Change, ChangeStore, NamedChange } from './store.ts'
import { decodeCursor, limitOf, pageOf, sequenceKey } from './values/page.ts'

/** Selects the name that the service of a route has now. Rows of other entities have no `service_id`. */
const serviceName = (row: typeof changes.before | typeof changes.after) =>
  sql<string | null>`(SELECT s.name FROM plugboard.services s WHERE s.id = (${row} ->> 'service_id')::uuid)`

const NAMED = {
  ...getTableColumns(changes),
  serviceBefore: serviceName(changes.before),
  serviceAfter: serviceName(changes.after),
}

export function createChangeStore(runner: SqlRunner): ChangeStore {
  return {
    list: (request = {}) =>
      runner.read(async db => {
        const limit = limitOf(request)
        const conditions: (SQL | undefined)[] = []
        if (request.entity !== undefined) conditions.push(eq(changes.entity, request.entity))
        if (request.entityId !== undefined) conditions.push(eq(changes.entityId, request.entityId))
        if (request.actor !== undefined) conditions.push(eq(changes.actor, request.actor))
        if (request.cursor !== undefined) {
          const [sequence] = decodeCursor(sequenceKey, request.cursor)
          conditions.push(lt(changes.sequence, sequence))
        }
        const rows = await db
          .select(NAMED)
          .from(changes)
          .where(and(...conditions))
          .orderBy(desc(changes.sequence))
          .limit(limit + 1)
        return pageOf(rows.map(withNames), limit, change => [change.sequence])
      }),
    after: (sequence, limit = 1_000) =>
      runner.read(async db => {
        const rows = await db
          .select(NAMED)
          .from(changes)
          .where(gt(changes.sequence, sequence))
          .orderBy(asc(changes.sequence))
          .limit(Math.min(limit, 1_000))
        return rows.map(withNames)
      }),
    latest: () =>
      runner.read(async db => {
        const [head] = await db.select({ sequence: changeHead.sequence }).from(changeHead)
        return head?.sequence ?? 0
      }),
    prune: keep =>
      runner.read(async db => {
        const oldest = sql`(SELECT sequence FROM plugboard.change_head) - ${Math.max(keep, 1)}`
        const deleted = await db.delete(changes).where(sql`${changes.sequence} <= ${oldest}`)
        return deleted.rowCount ?? 0
      }),
  }
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

function withNames({ serviceBefore, serviceAfter, ...row }: NamedChange): NamedChange {
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
