// Runs the statements of the query modules: a single statement on the pool, or a transaction in the name of an actor. All
// errors of statements are translated here.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { sql } from 'drizzle-orm'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import type pg from 'pg'
import { isSerializationFailure, translateError } from './connection/database-error.ts'
import { runOnce } from './store/idempotency.ts'
import type { Mutation } from './store/store.ts'

/** drizzle on one connection or on the pool. */
export type Sql = NodePgDatabase

export type Writer = Pick<Mutation, 'actor' | 'keyId' | 'dryRun' | 'idempotency'>

/** Runs one statement on the connection of a transaction. It may take longer than other statements. */
export type Statement = <Row extends pg.QueryResultRow>(
  text: string,
  values?: readonly unknown[],
) => Promise<pg.QueryResult<Row>>

/** A transaction with many rows. It may be repeated after a conflict. */
export interface BulkWork<Result> {
  /** Runs before the lock of all writers is taken. Prepares the rows in temporary tables. */
  readonly stage: (run: Statement) => Promise<void>
  /** Runs under the lock. */
  readonly write: (run: Statement) => Promise<Result>
}

export interface SqlRunner {
  /** Runs statements without a transaction. */
  read<Result>(query: (sql: Sql) => Promise<Result>): Promise<Result>
  /** Runs one transaction in the name of `by.actor`. It is repeated after a conflict, so `query` must have no other effects. */
  write<Result>(by: Writer, query: (sql: Sql) => Promise<Result>): Promise<Result>
  /** Runs a transaction that sees one moment of the database, and writes nothing. */
  snapshot<Result>(query: (run: Statement) => Promise<Result>): Promise<Result>
  /** Runs one transaction with many rows in the name of `by.actor`. Resolves also with the time under the lock of all writers. */
  bulk<Result>(
    by: Writer,
    work: BulkWork<Result>,
  ): Promise<{ readonly result: Result; readonly lockedMs: number }>
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
    write: (by, query) =>
      translated(
        withRetries(() =>
          inTransaction(pool, async client => {
            await begin(client, by)
            const tx = drizzle(client)
            if (by.keyId !== undefined) await refuseInactiveKey(tx, by.keyId)
            const { keyId, idempotency } = by
            const result =
              keyId === undefined || idempotency === undefined
                ? await query(tx)
                : await runOnce(tx, keyId, idempotency, () => query(tx))
            await client.query(by.dryRun === true ? 'ROLLBACK' : 'COMMIT')
            return result
          }),
        ),
      ),
    snapshot: query =>
      translated(
        inTransaction(pool, async client => {
          await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
          const result = await query(patientStatements(client))
          await client.query('COMMIT')
          return result
        }),
      ),
    bulk: (by, work) =>
      translated(withRetries(() => inTransaction(pool, client => runBulk(client, by, work)))),
  }
}

async function runBulk<Result>(
  client: pg.PoolClient,
  by: Writer,
  { stage, write }: BulkWork<Result>,
): Promise<{ result: Result; lockedMs: number }> {
  await begin(client, by)
  await client.query(
    `SET LOCAL statement_timeout = ${BULK_TIMEOUT_MS}; SET LOCAL work_mem = '${BULK_MEMORY}'`,
  )
  const run = patientStatements(client)
  await stage(run)
  const tx = drizzle(client)
  await lockWriters(tx)
  const lockedAt = performance.now()
  if (by.keyId !== undefined) await refuseInactiveKey(tx, by.keyId)
  const result = await write(run)
  await client.query('COMMIT')
  return { result, lockedMs: performance.now() - lockedAt }
}

/** The time limit of one statement with many rows. The default of other statements is shorter. */
const BULK_TIMEOUT_MS = 60_000
/** The memory of each sort and each join of such a statement. The rows of a large bundle are sorted without temporary files. */
const BULK_MEMORY = '32MB'

const patientStatements =
  (client: pg.PoolClient): Statement =>
  (text, values = []) =>
    client.query({ text, values: [...values], query_timeout: BULK_TIMEOUT_MS + 1000 } as pg.QueryConfig)

async function begin(client: pg.PoolClient, { actor }: Writer): Promise<void> {
  await client.query('BEGIN')
  // The triggers that write the log read the actor. The setting ends with the transaction.
  await client.query("SELECT set_config('plugboard.actor', $1, true)", [actor])
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

/** Runs a transaction on a connection of the pool. `transaction` begins and ends it; an error rolls it back. */
async function inTransaction<Result>(
  pool: pg.Pool,
  transaction: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    return await transaction(client)
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
