// Brings the schema up to this version of the code, or reports how far it is. A newer schema stays as it is. Everything
// happens in one transaction. It holds an advisory lock, so that processes that migrate at the same time take turns. The lock
// belongs to the transaction and not to the session, because a connection pooler may give the statements of one session to
// several connections.

import { fileURLToPath } from 'node:url'
import { type MigrationMeta, readMigrationFiles } from 'drizzle-orm/migrator'
import pg from 'pg'
import { StartupError } from '../../common/startup-error.ts'
import { checkCompatibility } from '../compatibility.ts'
import { translateError } from '../connection/database-error.ts'
import { checkDatabaseUrl } from '../connection/database-url.ts'

export interface MigrateOptions {
  readonly url: string
  /** The folder with `meta/_journal.json`. Default: `migrations/` of this project. */
  readonly folder?: string | undefined
  readonly connectTimeoutMs?: number | undefined
  /** The version of this program, to compare with a newer schema; absent: a newer schema is an error. */
  readonly version?: string | undefined
}

export interface MigrationStatus {
  readonly applied: number
  readonly pending: number
  /** Names of migrations of newer versions; each allows this version to run. Then `pending` is 0. */
  readonly newer: readonly string[]
}

const DEFAULT_FOLDER = fileURLToPath(new URL('../../../migrations', import.meta.url))
/** The table in the form that drizzle's tools create. */
const CREATE_TABLE = `
  CREATE SCHEMA IF NOT EXISTS plugboard;
  CREATE TABLE IF NOT EXISTS plugboard.migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint)`
const ADD_MIGRATION = 'INSERT INTO plugboard.migrations (hash, created_at) VALUES ($1, $2)'
const MIGRATION_LOCK = [0x706c7567, 2] as const

/** Applies the pending migrations. Rejects with StartupError when database and code do not match. */
export async function migrateDatabase(options: MigrateOptions): Promise<MigrationStatus> {
  return await withClient(options, async client => {
    // After a failure, the end of the connection ends the transaction.
    await client.query('BEGIN')
    await client.query('SELECT pg_advisory_xact_lock($1, $2)', [...MIGRATION_LOCK])
    const folder = options.folder ?? DEFAULT_FOLDER
    const status = await compare(client, folder, options.version)
    // Without pending files, the schema is not written, so a role that may only read and write rows is sufficient.
    if (status.pending > 0)
      await apply(client, readMigrationFiles({ migrationsFolder: folder }).slice(status.applied))
    await client.query('COMMIT')
    return { ...status, applied: status.applied + status.pending, pending: 0 }
  })
}

async function apply(client: pg.Client, pending: readonly MigrationMeta[]): Promise<void> {
  try {
    await client.query(CREATE_TABLE)
    for (const { sql, hash, folderMillis } of pending) {
      for (const statement of sql) await client.query(statement)
      await client.query(ADD_MIGRATION, [hash, folderMillis])
    }
  } catch (error) {
    const reason = translateError(error)
    const cause = reason instanceof Error && reason.cause instanceof Error ? reason.cause : reason
    const text = cause instanceof Error ? cause.message : String(cause)
    throw new StartupError(`The database could not be migrated and is unchanged: ${text}`, error)
  }
}

/**
 * Reads the state of the schema and writes nothing. Rejects with StartupError when the database has migrations of a newer
 * version that do not allow this one to run (compatibility.ts), or migrations that differ from the files.
 */
export async function migrationStatus(options: MigrateOptions): Promise<MigrationStatus> {
  return await withClient(options, client =>
    compare(client, options.folder ?? DEFAULT_FOLDER, options.version),
  )
}

/** Checks that the applied migrations are the first files, in order and unedited. Migrations of newer versions may follow all files. */
async function compare(
  client: pg.Client,
  folder: string,
  version: string | undefined,
): Promise<MigrationStatus> {
  const files = readMigrationFiles({ migrationsFolder: folder })
  refuseDisorder(files)
  const applied = await appliedMigrations(client)
  for (const [index, { hash, createdAt }] of applied.slice(0, files.length).entries()) {
    const file = files[index]
    if (file?.folderMillis === createdAt && file.hash === hash) continue
    throw new StartupError(
      `Migration ${index + 1} of the database differs from the one of this version: it was edited, or comes from another version.`,
    )
  }
  const unknown = applied.slice(files.length).map(({ createdAt }) => createdAt)
  const newer = unknown.length === 0 ? [] : await checkCompatibility(client, unknown, version)
  return { applied: applied.length, pending: Math.max(0, files.length - applied.length), newer }
}

/** Rejects files out of order, because drizzle's migrator silently skips a file that is older than the newest applied one. */
function refuseDisorder(files: readonly MigrationMeta[]): void {
  for (const [index, { folderMillis }] of files.entries()) {
    const before = files[index - 1]
    if (before !== undefined && folderMillis <= before.folderMillis) {
      throw new StartupError(
        `Migration ${index + 1} is dated before migration ${index}: correct "when" in meta/_journal.json.`,
      )
    }
  }
}

async function appliedMigrations(
  client: pg.Client,
): Promise<readonly { readonly hash: string; readonly createdAt: number }[]> {
  // A query of a table that does not exist would end the transaction.
  const found = await client.query<{ exists: boolean }>(
    "SELECT to_regclass('plugboard.migrations') IS NOT NULL AS exists",
  )
  if (found.rows[0]?.exists !== true) return []
  const { rows } = await client.query<{ hash: string; created_at: string }>(
    'SELECT hash, created_at FROM plugboard.migrations ORDER BY id',
  )
  return rows.map(row => ({ hash: row.hash, createdAt: Number(row.created_at) }))
}

async function withClient<Result>(
  options: MigrateOptions,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  checkDatabaseUrl(options.url)
  const client = new pg.Client({
    connectionString: options.url,
    application_name: 'plugboard migrate',
    connectionTimeoutMillis: options.connectTimeoutMs ?? 3_000,
    keepAlive: true,
  })
  // Without a listener, the error event of a broken connection would end the process. The pending query reports the error.
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await work(client)
  } catch (error) {
    throw translateError(error)
  } finally {
    await client.end().catch(() => undefined) // the transaction and its lock end with the connection
  }
}
