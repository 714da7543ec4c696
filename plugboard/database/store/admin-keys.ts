// Queries of the admin API's keys. The key itself is shown once, at its creation. The rows contain its prefix, by which it is
// found, and its hash, which only `findByPrefix` and `activeHashes` read.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { and, arrayContains, eq, getTableColumns, gt, isNull, lt, or, type SQL, sql } from 'drizzle-orm'
import { adminKeys, changes } from '../schema.ts'
import { lockWriters, type Sql, type SqlRunner } from '../sql-runner.ts'
import type { AdminKey, AdminKeyStore, CredentialFilters, NewAdminKey } from './store.ts'
import { isId, untouched } from './values/input.ts'
import { createdKey, limitOf, pageOf } from './values/page.ts'
import { listOrder, type SortOrder } from './values/sort.ts'

const { hash: _hash, ...publicColumns } = getTableColumns(adminKeys)

/** The columns as they are read, without the hash. */
type Row = Omit<typeof adminKeys.$inferSelect, 'hash'>

function keyOf({ limitServices, limitMounts, updatedAt: _, ...row }: Row): AdminKey {
  const limits =
    limitServices === null || limitMounts === null ? null : { services: limitServices, mounts: limitMounts }
  return { ...row, limits }
}

export function createAdminKeyStore(runner: SqlRunner): AdminKeyStore {
  return {
    create: (input, by) => runner.write(by, tx => insertKey(tx, input)),
    everExisted: () => runner.read(everExisted),
    createFirst: (input, by) =>
      runner.write(by, async tx => {
        await lockWriters(tx)
        return (await everExisted(tx)) ? undefined : await insertKey(tx, input)
      }),
    countActiveAdmins: () => runner.read(countActiveAdmins),
    reset: (input, by, { revokeOthers }) =>
      runner.write(by, async tx => {
        if (revokeOthers) {
          await tx
            .update(adminKeys)
            .set({ revokedAt: sql`clock_timestamp()` })
            .where(and(isNull(adminKeys.revokedAt), holdsAdmin))
        }
        return await insertKey(tx, input)
      }),
    get: id =>
      runner.read(async db => {
        const key = await findKey(db, id)
        if (key !== undefined) return key
        throw new VeraError('not_found', 'There is no such key.')
      }),
    findByPrefix: prefix =>
      runner.read(async db => {
        const [row] = await db.select().from(adminKeys).where(eq(adminKeys.prefix, prefix))
        return row && { ...keyOf(row), hash: row.hash }
      }),
    activeHashes: () =>
      runner.read(async db => {
        const { prefix, hash } = adminKeys
        const rows = await db.select({ prefix, hash }).from(adminKeys).where(active)
        return new Map(rows.map(row => [row.prefix, row.hash]))
      }),
    list: (request = {}) =>
      runner.read(async db => {
        const limit = limitOf(request)
        const { cursor } = request
        const order = listOrder(ORDERS, '-createdAt', request.sort)
        const rows = await db
          .select(publicColumns)
          .from(adminKeys)
          .where(and(...conditionsOf(request), cursor === undefined ? undefined : order.after(cursor)))
          .orderBy(...order.orderBy)
          .limit(limit + 1)
        return pageOf(rows.map(keyOf), limit, order.cursorKey)
      }),
    count: filters => runner.read(db => db.$count(adminKeys, and(...conditionsOf(filters)))),
    revoke: (id, by, { force = false } = {}) =>
      runner.write(by, async tx => {
        await lockWriters(tx)
        const found = await findKey(tx, id)
        if (found === undefined) throw untouched('key', undefined)
        if (by.ifVersion !== undefined && found.version !== by.ifVersion) throw untouched('key', found)
        if (!force) await refuseLastAdmin(tx, id)
        const [revoked] = await tx
          .update(adminKeys)
          .set({ revokedAt: sql`clock_timestamp()` })
          .where(and(eq(adminKeys.id, id), isNull(adminKeys.revokedAt)))
          .returning(publicColumns)
        // The key was revoked before, and stays as it is.
        return revoked === undefined ? found : keyOf(revoked)
      }),
    touch: id =>
      runner.read(async db => {
        const stale = or(
          isNull(adminKeys.lastUsedAt),
          lt(adminKeys.lastUsedAt, sql`now() - interval '1 minute'`),
        )
        await db
          .update(adminKeys)
          .set({ lastUsedAt: sql`now()` })
          .where(and(eq(adminKeys.id, id), stale))
      }),
  }
}

const ORDERS = {
  createdAt: {
    columns: [adminKeys.createdAt, adminKeys.id],
    key: createdKey,
    keyOf: ({ createdAt, id }: AdminKey) => [createdAt.toISOString(), id],
  },
} as const satisfies Record<'createdAt', SortOrder<AdminKey>>

const active = and(
  isNull(adminKeys.revokedAt),
  or(isNull(adminKeys.expiresAt), gt(adminKeys.expiresAt, sql`clock_timestamp()`)),
)

function conditionsOf(filters: CredentialFilters): (SQL | undefined)[] {
  const { q } = filters
  return [
    filters.active === true ? active : undefined,
    q === undefined ? undefined : sql`position(${q} IN ${adminKeys.name}) > 0`,
  ]
}

const holdsAdmin = arrayContains(adminKeys.scopes, ['admin'])

/** Rows of revoked keys stay. Rows that were deleted by hand have left their entries in the log of changes. */
async function everExisted(db: Sql): Promise<boolean> {
  const { rows } = await db.execute<{ existed: boolean }>(sql`
    SELECT EXISTS (SELECT FROM ${adminKeys})
      OR EXISTS (SELECT FROM ${changes} WHERE ${changes.entity} = 'admin_key') AS existed`)
  return rows[0]?.existed !== false
}

const countActiveAdmins = (db: Sql): Promise<number> => db.$count(adminKeys, and(active, holdsAdmin))

/** Runs after the lock of all writers is taken, so that two requests at once cannot revoke the last two keys. */
async function refuseLastAdmin(tx: Sql, id: string): Promise<void> {
  const admins = await tx.select({ id: adminKeys.id }).from(adminKeys).where(and(active, holdsAdmin)).limit(2)
  if (admins.length !== 1 || admins[0]?.id !== id) return
  throw new VeraError(
    'conflict',
    'This is the last active key with the scope admin. Make another one first. To revoke this one, use ' +
      '"force" (--force): after that, only "plugboard key reset" makes a new one.',
  )
}

async function insertKey(tx: Sql, input: NewAdminKey): Promise<AdminKey> {
  const { name, prefix, hash, scopes, limits, expiresAt } = input
  const values = {
    name,
    prefix,
    hash,
    scopes: [...scopes],
    expiresAt: expiresAt ?? null,
    ...(limits && { limitServices: [...limits.services], limitMounts: [...limits.mounts] }),
  }
  const [row] = await tx.insert(adminKeys).values(values).returning(publicColumns)
  return keyOf(row!)
}

async function findKey(db: Sql, id: string): Promise<AdminKey | undefined> {
  if (!isId(id)) return undefined
  const [row] = await db.select(publicColumns).from(adminKeys).where(eq(adminKeys.id, id))
  return row && keyOf(row)
}
