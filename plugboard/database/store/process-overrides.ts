// Queries of the overrides of telephone processes. Times of ejections are counted by the clock of the database. Each write that stops
// the requests of a process checks, under the lock of all writers, that another process of the service still takes requests. So two
// operators at the same time cannot stop the last two processes.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { and, eq, inArray, isNull, type SQL, sql } from 'drizzle-orm'
import { processOverrides } from '../schema.ts'
import { lockWriters, type Sql, type SqlRunner } from '../sql-runner.ts'
import type {
  Mutation,
  OverrideFilters,
  OverrideValues,
  ProcessOverride,
  ProcessOverrideStore,
} from './store.ts'
import { isId, untouched } from './values/input.ts'
import { createdKey, limitOf, pageOf } from './values/page.ts'
import { listOrder, type SortOrder } from './values/sort.ts'

/** Time after which a deleted row is removed. Until then its change can be undone in place. */
const REMOVED_AFTER = sql`interval '1 day'`
/** Rows that one call of `prune` deletes and removes. */
const PRUNED_ROWS = 1_000

/** The ejection has ended, and the row has no weight: it has no effect any more. */
const isOver = sql`(weight IS NULL AND ejected_until < clock_timestamp())`

/** All columns without `seenAt`, which only this file uses. */
const COLUMNS = {
  id: processOverrides.id,
  serviceId: processOverrides.serviceId,
  instance: processOverrides.instance,
  telephone: processOverrides.telephone,
  weight: processOverrides.weight,
  ejectedUntil: processOverrides.ejectedUntil,
  reason: processOverrides.reason,
  setBy: processOverrides.setBy,
  version: processOverrides.version,
  createdAt: processOverrides.createdAt,
  updatedAt: processOverrides.updatedAt,
  deletedAt: processOverrides.deletedAt,
} as const

const ORDERS = {
  createdAt: {
    columns: [processOverrides.createdAt, processOverrides.id],
    key: createdKey,
    keyOf: ({ createdAt, id }: ProcessOverride) => [createdAt.toISOString(), id],
  },
} as const satisfies Record<'createdAt', SortOrder<ProcessOverride>>

export function createProcessOverrideStore(runner: SqlRunner): ProcessOverrideStore {
  return {
    create: ({ serviceId, instance, telephone, ...values }, by) =>
      runner.write(by, async tx => {
        await refuseLastProcess(tx, serviceId, values)
        await tx
          .update(processOverrides)
          .set({ deletedAt: sql`clock_timestamp()` })
          .where(
            and(
              eq(processOverrides.serviceId, serviceId),
              eq(processOverrides.instance, instance),
              isNull(processOverrides.deletedAt),
              isOver,
            ),
          )
        const { weight = null, reason = null, setBy, ejectMs = null } = values
        const ejectedUntil = fromNow(ejectMs)
        const [row] = await tx
          .insert(processOverrides)
          .values({ serviceId, instance, telephone, weight, reason, setBy, ejectedUntil })
          .returning(COLUMNS)
        return row!
      }),
    get: id =>
      runner.read(async db => {
        const row = await find(db, id)
        if (row === undefined) throw untouched('override', undefined)
        return row
      }),
    list: (request = {}) =>
      runner.read(async db => {
        const limit = limitOf(request)
        const { cursor } = request
        const order = listOrder(ORDERS, 'createdAt')
        const rows = await db
          .select(COLUMNS)
          .from(processOverrides)
          .where(and(...conditionsOf(request), cursor === undefined ? undefined : order.after(cursor)))
          .orderBy(...order.orderBy)
          .limit(limit + 1)
        return pageOf(rows, limit, order.cursorKey)
      }),
    count: filters => runner.read(db => db.$count(processOverrides, and(...conditionsOf(filters)))),
    update: (id, values, by) =>
      runner.write(by, async tx => {
        const { weight, reason, setBy, ejectMs } = values
        if (values.others !== undefined) {
          await lockWriters(tx)
          const row = await find(tx, id)
          if (row !== undefined) await refuseLastProcess(tx, row.serviceId, values)
        }
        const set = {
          setBy,
          ...(weight !== undefined && { weight }),
          ...(reason !== undefined && { reason }),
          ...(ejectMs !== undefined && { ejectedUntil: fromNow(ejectMs) }),
        }
        return await change(tx, id, by, set)
      }),
    remove: (id, by) => runner.write(by, tx => change(tx, id, by, { deletedAt: sql`clock_timestamp()` })),
    seen: ids =>
      runner.read(async db => {
        if (ids.length === 0) return
        await db
          .update(processOverrides)
          .set({ seenAt: sql`clock_timestamp()` })
          .where(inArray(processOverrides.id, [...ids]))
      }),
    prune: async unseenMs => {
      const { rowCount } = await runner.write({ actor: 'system' }, tx =>
        tx.execute(sql`
          UPDATE ${processOverrides} SET deleted_at = clock_timestamp() WHERE id IN (
            SELECT id FROM ${processOverrides} WHERE deleted_at IS NULL
              AND (seen_at < clock_timestamp() - ${unseenMs} * interval '1 millisecond'
                OR ${isOver})
            LIMIT ${PRUNED_ROWS})`),
      )
      await runner.read(db =>
        db.execute(sql`
          DELETE FROM ${processOverrides} WHERE id IN (
            SELECT id FROM ${processOverrides} WHERE deleted_at < clock_timestamp() - ${REMOVED_AFTER}
            LIMIT ${PRUNED_ROWS} FOR UPDATE SKIP LOCKED)`),
      )
      return rowCount ?? 0
    },
  }
}

function conditionsOf({ serviceId, includeDeleted }: OverrideFilters): (SQL | undefined)[] {
  return [
    includeDeleted === true ? undefined : isNull(processOverrides.deletedAt),
    serviceId === undefined ? undefined : eq(processOverrides.serviceId, serviceId),
  ]
}

const fromNow = (ms: number | null): SQL | null =>
  ms === null ? null : sql`clock_timestamp() + ${ms} * interval '1 millisecond'`

async function find(db: Sql, id: string): Promise<ProcessOverride | undefined> {
  if (!isId(id)) return undefined
  const [row] = await db.select(COLUMNS).from(processOverrides).where(eq(processOverrides.id, id))
  return row
}

async function change(
  tx: Sql,
  id: string,
  { ifVersion }: Mutation,
  set: Parameters<ReturnType<typeof tx.update<typeof processOverrides>>['set']>[0],
): Promise<ProcessOverride> {
  const found = await find(tx, id)
  if (found === undefined || found.deletedAt !== null) throw untouched('override', undefined)
  const living = and(
    eq(processOverrides.id, id),
    isNull(processOverrides.deletedAt),
    ifVersion === undefined ? undefined : eq(processOverrides.version, ifVersion),
  )
  const [row] = await tx.update(processOverrides).set(set).where(living).returning(COLUMNS)
  if (row === undefined) throw untouched('override', await find(tx, id))
  return row
}

/** Throws `conflict` when no other process of the service would take requests. */
async function refuseLastProcess(
  tx: Sql,
  serviceId: ProcessOverride['serviceId'],
  { others }: OverrideValues,
): Promise<void> {
  if (others === undefined) return
  await lockWriters(tx)
  const stopped = await tx
    .select({ instance: processOverrides.instance })
    .from(processOverrides)
    .where(
      and(
        eq(processOverrides.serviceId, serviceId),
        isNull(processOverrides.deletedAt),
        sql`(weight = 0 OR ejected_until > clock_timestamp())`,
      ),
    )
  const without = new Set(stopped.map(({ instance }) => instance))
  if (others.some(instance => !without.has(instance))) return
  throw new VeraError(
    'conflict',
    'It is the last process of the service that takes requests. Start another telephone first, or repeat the command with --force (API: force=true).',
  )
}
