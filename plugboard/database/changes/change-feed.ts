// One connection that follows the change log: it reads a snapshot of all rows, the changes after it, and notifications of new
// changes. It reports the loss of the connection once and does not reconnect. Its owner (routes/directory.ts) keeps the
// position in the log and opens the next feed.

import { drizzle } from 'drizzle-orm/node-postgres'
import type pg from 'pg'
import type { RouteId, ServiceId, TokenId } from '../../common/ids/row-ids.ts'
import type { JsonObject } from '../../common/json.ts'
import { translateError } from '../connection/database-error.ts'
import { translated } from '../sql-runner.ts'
import { changesFrom } from '../store/changes/named-changes.ts'
import type { Change } from '../store/store.ts'

/** A position in the log. `changeId` detects a restored database that has other changes with the same sequences. */
export interface LogPosition {
  readonly sequence: number
  readonly changeId: string | null
}

export interface SnapshotService {
  readonly id: ServiceId
  readonly name: string
  readonly policy: JsonObject
}

export interface SnapshotRoute {
  readonly id: RouteId
  readonly host: string
  readonly mountPath: string
  /** Null: the route responds by itself. */
  readonly serviceId: ServiceId | null
  readonly options: JsonObject
  /** Absent or null: the route stays until a user deletes it. */
  readonly lifetimeMs?: number | null | undefined
  /** Time of the last change, ms since 1970; absent in a snapshot of an older version. */
  readonly updatedAtMs?: number | undefined
}

export interface SnapshotKey {
  readonly kid: string
  readonly publicJwk: JsonObject
}

export interface SnapshotRevocation {
  readonly id: TokenId
  readonly expiresAt: Date
}

export interface SnapshotOverride {
  readonly id: string
  readonly serviceId: ServiceId
  readonly instance: string
  readonly weight: number | null
  /** Milliseconds since 1970; null: not ejected. */
  readonly ejectedUntilMs: number | null
  readonly reason: string | null
  readonly setBy: string
  readonly version: number
}

/** Receives the rows that are not deleted, services before their routes. */
export interface SnapshotSink {
  service(row: SnapshotService): void
  route(row: SnapshotRoute): void
  key(row: SnapshotKey): void
  revocation(row: SnapshotRevocation): void
  override(row: SnapshotOverride): void
}

export interface ChangeFeed {
  /** Replaces the listeners. `lost` is called at most once. When the connection is already lost, it is called at once. */
  listen(listeners: { readonly notified: () => void; readonly lost: (error: unknown) => void }): void
  /** Reads all rows of one moment, in batches, so that the event loop is not blocked. Resolves with the position of that moment. */
  snapshot(sink: SnapshotSink): Promise<LogPosition>
  /** Resolves with the newest position. */
  head(): Promise<LogPosition>
  /** Resolves with at most `limit` changes, the first one with the sequence `sequence`. */
  changesFrom(sequence: number, limit: number): Promise<readonly Change[]>
  close(): Promise<void>
}

const CHANNEL = 'plugboard_changes'
const BATCH_ROWS = 500
/** Revocations are read until the token has been expired for this long, because the clocks of replicas may differ. */
const REVOCATIONS_KEPT = "interval '1 hour'"

/** Connects the client and returns its feed. `settings`: a statement that runs first on the new connection. */
export async function openChangeFeed(client: pg.Client, settings: string): Promise<ChangeFeed> {
  let listeners: Parameters<ChangeFeed['listen']>[0] | undefined
  let death: { readonly error: unknown } | undefined
  let missedNotification = false
  const die = (error: unknown) => {
    if (death !== undefined) return
    death = { error: translateError(error) }
    listeners?.lost(death.error)
  }
  // Both events may occur for one loss, and `error` more than once.
  client.on('error', die)
  client.on('end', () => die(new Error('Connection terminated')))
  client.on('notification', () => {
    if (listeners === undefined) missedNotification = true
    else listeners.notified()
  })
  try {
    await client.connect()
    await client.query(settings)
    await client.query(`LISTEN ${CHANNEL}`)
  } catch (error) {
    await end(client)
    throw error
  }
  const sql = drizzle(client)
  return {
    listen: given => {
      listeners = given
      if (death !== undefined) given.lost(death.error)
      else if (missedNotification) given.notified()
    },
    head: () => translated(readHead(client)),
    snapshot: sink => translated(readSnapshot(client, sink)),
    changesFrom: (sequence, limit) => translated(changesFrom(sql, sequence, limit)),
    close: () => {
      listeners = undefined
      return end(client)
    },
  }
}

/** Closes the connection, and destroys it when the server does not respond. */
async function end(client: pg.Client): Promise<void> {
  const closed = client.end().catch(() => undefined) // the connection is closed in any case
  client.connection.stream.destroy()
  await closed
}

async function readSnapshot(client: pg.Client, sink: SnapshotSink): Promise<LogPosition> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  try {
    const position = await readHead(client)
    await readAll<SnapshotService>(
      client,
      'SELECT id, name, policy FROM plugboard.services WHERE deleted_at IS NULL',
      row => sink.service(row),
    )
    await readAll<SnapshotRoute>(
      client,
      `SELECT id, host, mount_path AS "mountPath", service_id AS "serviceId", options,
         lifetime_ms::float8 AS "lifetimeMs", (extract(epoch FROM updated_at) * 1000)::float8 AS "updatedAtMs"
       FROM plugboard.routes WHERE deleted_at IS NULL`,
      row => sink.route(row),
    )
    await readAll<SnapshotKey>(
      client,
      'SELECT kid, public_jwk AS "publicJwk" FROM plugboard.signing_keys ORDER BY created_at DESC',
      row => sink.key(row),
    )
    await readAll<SnapshotRevocation>(
      client,
      `SELECT id, expires_at AS "expiresAt" FROM plugboard.tokens
       WHERE revoked_at IS NOT NULL AND expires_at > now() - ${REVOCATIONS_KEPT}`,
      row => sink.revocation(row),
    )
    if (await hasOverrides(client))
      await readAll<SnapshotOverride>(
        client,
        `SELECT id, service_id AS "serviceId", instance, weight, reason, set_by AS "setBy", version,
         (extract(epoch FROM ejected_until) * 1000)::float8 AS "ejectedUntilMs"
       FROM plugboard.process_overrides WHERE deleted_at IS NULL`,
        row => sink.override(row),
      )
    await client.query('COMMIT')
    return position
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined) // the caller gets the first failure
    throw error
  }
}

/** False on a schema before migration 0019, on which a replica of this version may run for the time of an upgrade. */
async function hasOverrides(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    "SELECT to_regclass('plugboard.process_overrides') IS NOT NULL AS found",
  )
  return rows[0]?.found === true
}

async function readHead(client: pg.Client): Promise<LogPosition> {
  const { rows } = await client.query<{ sequence: string; change_id: string | null }>(
    'SELECT sequence, change_id FROM plugboard.change_head',
  )
  const [head] = rows
  if (head === undefined)
    throw new Error('The table plugboard.change_head has no row: restore it from a backup.')
  return { sequence: Number(head.sequence), changeId: head.change_id }
}

async function readAll<Row extends pg.QueryResultRow>(
  client: pg.Client,
  query: string,
  take: (row: Row) => void,
): Promise<void> {
  await client.query(`DECLARE batches NO SCROLL CURSOR FOR ${query}`)
  for (;;) {
    const { rows } = await client.query<Row>(`FETCH ${BATCH_ROWS} FROM batches`)
    for (const row of rows) take(row)
    if (rows.length < BATCH_ROWS) break
  }
  await client.query('CLOSE batches')
}
