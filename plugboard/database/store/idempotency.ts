// Creations with an `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header). The key and the result are stored in the
// transaction of the creation, under the lock of all writers. So a concurrent repetition waits, and finds the result; a crash
// stores both or none.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { and, eq, sql } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import { idempotencyKeys } from '../schema.ts'
import type { IdempotentCreation } from './store.ts'

/** Time for which a key is kept. */
const KEPT = sql`interval '24 hours'`
/** Old rows that one creation deletes. It adds one row, so the table shrinks to the keys of the last 24 h. */
const PRUNED_ROWS = 100

/** The request was made before. It has the response to that request. */
export class RepeatedRequest extends VeraError {
  readonly location: string
  readonly body: string

  constructor(location: string, body: string) {
    super('conflict', `This request has created ${location} already.`)
    this.name = 'RepeatedRequest'
    this.location = location
    this.body = body
  }
}

/**
 * Runs a creation once for each key. The transaction must have the lock of all writers. Throws RepeatedRequest when the key was used for the same request,
 * `idempotency_key_reused` when it was used for another one, and `conflict` when the first response had a secret.
 */
export async function runOnce<Result>(
  tx: NodePgDatabase,
  credential: string,
  creation: IdempotentCreation,
  create: () => Promise<Result>,
): Promise<Result> {
  await refuseRepeated(tx, credential, creation)
  const result = await create()
  const { key, fingerprint } = creation
  const { location, body } = creation.result(result as never)
  await tx
    .insert(idempotencyKeys)
    .values({ credential, key, fingerprint, location, body })
    .onConflictDoUpdate({
      target: [idempotencyKeys.credential, idempotencyKeys.key],
      set: { fingerprint, location, body, createdAt: sql`now()` },
    })
  await tx.execute(sql`
    DELETE FROM ${idempotencyKeys} WHERE (credential, key) IN (
      SELECT credential, key FROM ${idempotencyKeys} WHERE created_at < now() - ${KEPT}
      ORDER BY created_at LIMIT ${PRUNED_ROWS})`)
  return result
}

async function refuseRepeated(
  tx: NodePgDatabase,
  credential: string,
  creation: IdempotentCreation,
): Promise<void> {
  const { credential: holder, key, createdAt } = idempotencyKeys
  const [found] = await tx
    .select()
    .from(idempotencyKeys)
    .where(and(eq(holder, credential), eq(key, creation.key), sql`${createdAt} >= now() - ${KEPT}`))
  if (found === undefined) return
  if (found.fingerprint !== creation.fingerprint) throw new VeraError('idempotency_key_reused')
  if (found.body !== null) throw new RepeatedRequest(found.location, found.body)
  const detail =
    `This request has created ${found.location} already. Its secret was in the first response only. If that response is ` +
    'lost, revoke the row, and send a new request with another Idempotency-Key.'
  throw new VeraError('conflict', detail)
}
