// Queries of the keys that sign telephones' tokens. The schema ensures that at most one key is current. Only `ensure` and
// `rotate` read private keys.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { desc, eq, getTableColumns, isNull, sql } from 'drizzle-orm'
import { signingKeys } from '../schema.ts'
import { lockWriters, type Sql, type SqlRunner } from '../sql-runner.ts'
import type { NewSigningKey, PrivateSigningKey, SigningKeyStore } from './store.ts'

const { privateJwk: _private, ...publicColumns } = getTableColumns(signingKeys)

export function createSigningKeyStore(runner: SqlRunner): SigningKeyStore {
  return {
    list: () =>
      runner.read(db => db.select(publicColumns).from(signingKeys).orderBy(desc(signingKeys.createdAt))),
    ensure: async (generate, by) => {
      const present = await runner.read(currentKey)
      if (present !== undefined) return present
      const fresh = await generate()
      return await runner.write(by, async tx => {
        // When several replicas arrive here at once, one of them inserts.
        await lockWriters(tx)
        return (await currentKey(tx)) ?? (await insertKey(tx, fresh))
      })
    },
    rotate: (key, by) =>
      runner.write(by, async tx => {
        await tx
          .update(signingKeys)
          .set({ retiredAt: sql`clock_timestamp()` })
          .where(isNull(signingKeys.retiredAt))
        return await insertKey(tx, key)
      }),
    remove: (kid, by) =>
      runner.write(by, async tx => {
        const removed = await tx
          .delete(signingKeys)
          .where(eq(signingKeys.kid, kid))
          .returning({ kid: signingKeys.kid })
        if (removed.length === 0) throw new VeraError('not_found', 'There is no such signing key.')
      }),
  }
}

async function currentKey(db: Sql): Promise<PrivateSigningKey | undefined> {
  const [key] = await db.select().from(signingKeys).where(isNull(signingKeys.retiredAt))
  return key
}

async function insertKey(tx: Sql, key: NewSigningKey): Promise<PrivateSigningKey> {
  const [inserted] = await tx.insert(signingKeys).values(key).returning()
  return inserted!
}
