// One connection that follows the log of changes: the first copy of everything, what came after it, and a nudge
// when there is more. It reports its own death once and does not reconnect: whoever holds it (routes/directory.ts)
// knows what it has and opens the next one.

import { drizzle } from 'drizzle-orm/node-postgres'
import type pg from 'pg'
import type { JsonObject } from '../common/json.ts'
import type { RouteId, ServiceId, TokenId } from '../common/row-ids.ts'
import { translateError } from './database-error.ts'
import { translated } from './sql-runner.ts'
import { changesFrom } from './store/changes.ts'
import type { Change } from './store/store.ts'

/** A place in the log. `changeId` tells a database that was restored, and went another way from there. */
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
  /** Absent and null: the route stays until somebody deletes it. */
  readonly lifetimeMs?: number | null | undefined
}

export interface SnapshotKey {
  readonly kid: string
  readonly publicJwk: JsonObject
}

export interface SnapshotRevocation {
  readonly id: TokenId
  readonly expiresAt: Date
}

/** Takes the living rows, services before their routes. */
export interface SnapshotSink {
  service(row: SnapshotService): void
  route(row: SnapshotRoute): void
  key(row: SnapshotKey): void
  revocation(row: SnapshotRevocation): void
}

export interface ChangeFeed {
  /** Replaces the listeners. `lost` is called at most once, at once when it has happened already. */
  listen(listeners: { readonly notified: () => void; readonly lost: (error: unknown) => void }): void
  /** All rows as they are at one moment, in batches that let the event loop breathe; resolves with that moment. */
  snapshot(sink: SnapshotSink): Promise<LogPosition>
  /** The newest place. */
  head(): Promise<LogPosition>
  /** Changes from `sequence` on, that one included; at most `limit`. */
  changesFrom(sequence: number, limit: number): Promise<readonly Change[]>
  close(): Promise<void>
}

const CHANNEL = 'plugboard_changes'
const BATCH_ROWS = 1_000
/** A revoked token is refused for its date soon after; until then clocks may differ by this much. */
const REVOCATIONS_KEPT = "interval '1 hour'"

/** `settings`: a statement for the new connection. */
export async function openChangeFeed(client: pg.Client, settings: string): Promise<ChangeFeed> {
  let listeners: Parameters<ChangeFeed['listen']>[0] | undefined
  let death: { readonly error: unknown } | undefined
  let missedNotification = false
  const die = (error: unknown) => {
    if (death !== undefined) return
    death = { error: translateError(error) }
    listeners?.lost(death.error)
  }
  // Both may fire for one death, and `error` more than once.
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

/** A polite good-bye, and no waiting for a server that does not answer it. */
async function end(client: pg.Client): Promise<void> {
  const closed = client.end().catch(() => undefined) // what fails here is already being given up
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
         lifetime_ms::float8 AS "lifetimeMs"
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
    await client.query('COMMIT')
    return position
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined) // the first failure is the one to tell
    throw error
  }
}

async function readHead(client: pg.Client): Promise<LogPosition> {
  const { rows } = await client.query<{ sequence: string; change_id: string | null }>(
    'SELECT sequence, change_id FROM plugboard.change_head',
  )
  const [head] = rows
  if (head === undefined) throw new Error('plugboard.change_head has lost its row')
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
