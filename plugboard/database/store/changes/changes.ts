// The store of the log of changes: audit log, undo history and event stream in one. Its rows are written by the
// triggers of migrations/0001_rules.sql, never here.

import { and, asc, desc, gt, lt, sql } from 'drizzle-orm'
import { changeHead, changes } from '../../schema.ts'
import type { SqlRunner } from '../../sql-runner.ts'
import type { ChangeStore } from '../store.ts'
import { decodeCursor, limitOf, pageOf, sequenceKey } from '../values/page.ts'
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
        if (isForward) conditions.push(gt(changes.sequence, after))
        if (before !== undefined) conditions.push(lt(changes.sequence, before))
        if (cursor !== undefined) {
          const [sequence] = decodeCursor(sequenceKey, cursor)
          conditions.push(isForward ? gt(changes.sequence, sequence) : lt(changes.sequence, sequence))
        }
        const rows = await selectNamed(db)
          .where(and(...conditions))
          .orderBy(isForward ? asc(changes.sequence) : desc(changes.sequence))
          .limit(limit + 1)
        return pageOf(rows.map(withNames), limit, change => [change.sequence])
      }),
    after: (sequence, limit = 1_000, filters = {}) =>
      runner.read(db => namedAfter(db, sequence, Math.min(limit, 1_000), filters)),
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
