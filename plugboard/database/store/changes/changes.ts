// The store of the log of changes: audit log, undo history and event stream in one. Its rows are written by the
// triggers of migrations/0001_rules.sql, never here.

import { and, asc, desc, gt, lt, sql } from 'drizzle-orm'
import { changeHead, changes } from '../../schema.ts'
import type { Sql, SqlRunner } from '../../sql-runner.ts'
import type { ChangeStore } from '../store.ts'
import { decodeCursor, limitOf, pageOf, sequenceKey } from '../values/page.ts'
import {
  type ContinuationRow,
  continuationOf,
  continuationQuery,
  type LogContinuation,
  type ReadPosition,
  requireContinuation,
} from './log-gap.ts'
import { conditionsOf, namedAfter, selectNamed, withNames } from './named-changes.ts'
import { undoChanges } from './undo.ts'

export function createChangeStore(runner: SqlRunner): ChangeStore {
  return {
    list: (request = {}) =>
      runner.read(async db => {
        const limit = limitOf(request)
        const { after, before, cursor } = request
        const isForward = after !== undefined
        const conditions = conditionsOf(request)
        if (before !== undefined) conditions.push(lt(changes.sequence, before))
        const [start] = cursor === undefined ? [after] : decodeCursor(sequenceKey, cursor)
        if (start !== undefined) {
          conditions.push(isForward ? gt(changes.sequence, start) : lt(changes.sequence, start))
          // 0 asks for the oldest changes that the log has.
          if (isForward && start > 0) {
            requireContinuation({ sequence: start }, await continuation(db, { sequence: start }))
          }
        }
        const rows = await selectNamed(db)
          .where(and(...conditions))
          .orderBy(isForward ? asc(changes.sequence) : desc(changes.sequence))
          .limit(limit + 1)
        return pageOf(rows.map(withNames), limit, change => [change.sequence])
      }),
    after: (sequence, limit = 1_000, filters = {}) =>
      runner.read(db => namedAfter(db, sequence, Math.min(limit, 1_000), filters)),
    continuation: position => runner.read(db => continuation(db, position)),
    latest: () =>
      runner.read(async db => {
        const [head] = await db.select({ sequence: changeHead.sequence }).from(changeHead)
        return head?.sequence ?? 0
      }),
    undo: (request, by) => undoChanges(runner, request, by),
    prune: keep =>
      runner.read(async db => {
        const oldest = sql`(SELECT sequence FROM plugboard.change_head) - ${Math.max(keep, 1)}`
        const deleted = await db.delete(changes).where(sql`${changes.sequence} <= ${oldest}`)
        return deleted.rowCount ?? 0
      }),
  }
}

async function continuation(db: Sql, position: ReadPosition): Promise<LogContinuation> {
  const { rows } = await db.execute<ContinuationRow>(sql.raw(continuationQuery(position.sequence)))
  return continuationOf(position, rows[0])
}
