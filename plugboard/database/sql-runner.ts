// Runs the statements of the query modules: a single statement on the pool, or a transaction in the name of an actor. All
// errors of statements are translated here.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { sql } from 'drizzle-orm'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import type pg from 'pg'
import { isSerializationFailure, translateError } from './database-error.ts'
import type { Mutation } from './store/store.ts'

/** drizzle on one connection or on the pool. */
export type Sql = NodePgDatabase

export type Writer = Pick<Mutation, 'actor' | 'keyId'>

export interface SqlRunner {
  /** Runs statements without a transaction. */
  read<Result>(query: (sql: Sql) => Promise<Result>): Promise<Result>
  /** Runs one transaction in the name of `by.actor`. It is repeated after a conflict, so `query` must have no other effects. */
  write<Result>(by: Writer, query: (sql: Sql) => Promise<Result>): Promise<Result>
}

/** Takes the lock of all writers (migrations/0001_rules.sql). Rows that this transaction reads after that cannot change before its end. */
export async function lockWriters(tx: Sql): Promise<void> {
  await tx.execute(sql`SELECT 1 FROM plugboard.change_head FOR UPDATE`)
}

const MAX_ATTEMPTS = 3

export function createSqlRunner(pool: pg.Pool): SqlRunner {
  const pooled = drizzle(pool)
  return {
    read: query => translated(query(pooled)),
    write: (by, query) => translated(withRetries(() => inTransaction(pool, by, query))),
  }
}

/**
 * Throws `unauthorized` when the key was revoked after the request was authenticated. It runs after the lock of all writers
 * is taken: of two keys that revoke each other, the second one finds that it is revoked.
 */
async function refuseInactiveKey(tx: Sql, keyId: string): Promise<void> {
  await lockWriters(tx)
  const { rows } = await tx.execute(sql`
    SELECT 1 FROM plugboard.admin_keys
      WHERE id = ${keyId} AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())`)
  if (rows.length === 0) throw new VeraError('unauthorized', 'The API key has been revoked, or has expired.')
}

async function withRetries<Result>(transaction: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await transaction()
    } catch (error) {
      if (attempt === MAX_ATTEMPTS || !isSerializationFailure(error)) throw error
    }
  }
}

async function inTransaction<Result>(
  pool: pg.Pool,
  { actor, keyId }: Writer,
  query: (sql: Sql) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await client.query('BEGIN')
    // The triggers that write the log read the actor. The setting ends with the transaction.
    await client.query("SELECT set_config('plugboard.actor', $1, true)", [actor])
    const tx = drizzle(client)
    if (keyId !== undefined) await refuseInactiveKey(tx, keyId)
    const result = await query(tx)
    await client.query('COMMIT')
    return result
  } catch (error) {
    // A connection whose rollback fails is destroyed. Then the server rolls back by itself.
    await client.query('ROLLBACK').catch((failure: Error) => {
      broken = failure
    })
    throw error
  } finally {
    client.release(broken)
  }
}

export async function translated<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work
  } catch (error) {
    throw translateError(error)
  }
}
