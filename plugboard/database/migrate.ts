// Brings the schema up to this version of the code, or reports how far it is. A newer schema stays as it is. Replicas that start together take
// turns (one advisory lock, on the connection that migrates), and everything happens in one transaction.

import { fileURLToPath } from 'node:url'
import { type MigrationMeta, readMigrationFiles } from 'drizzle-orm/migrator'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import pg from 'pg'
import { checkCompatibility } from './compatibility.ts'
import { translateError } from './database-error.ts'
import { checkDatabaseUrl } from './database-url.ts'
import { codeOf, StartupError } from './startup-error.ts'

export interface MigrateOptions {
  readonly url: string
  /** Holds `meta/_journal.json`. Default: `migrations/` of this project. */
  readonly folder?: string | undefined
  readonly connectTimeoutMs?: number | undefined
  /** Of this program, to compare with a newer schema; absent: no newer schema is accepted. */
  readonly version?: string | undefined
}

export interface MigrationStatus {
  readonly applied: number
  readonly pending: number
  /** Names of migrations of newer versions; each allows this version to run. Then `pending` is 0. */
  readonly newer: readonly string[]
}

const DEFAULT_FOLDER = fileURLToPath(new URL('../../migrations', import.meta.url))
const MIGRATIONS = { migrationsSchema: 'plugboard', migrationsTable: 'migrations' } as const
const MIGRATION_LOCK = [0x706c7567, 2] as const

/** Applies what is pending. Throws StartupError when database and code do not fit together. */
export async function migrateDatabase(options: MigrateOptions): Promise<MigrationStatus> {
  return await withClient(options, async client => {
    await client.query('SELECT pg_advisory_lock($1, $2)', [...MIGRATION_LOCK])
    const folder = options.folder ?? DEFAULT_FOLDER
    const status = await compare(client, folder, options.version)
    // Without pending files nothing is written, so a role that may only read and write rows gets by.
    if (status.pending === 0) return status
    try {
      await migrate(drizzle(client), { migrationsFolder: folder, ...MIGRATIONS })
    } catch (error) {
      const reason = translateError(error)
      const cause = reason instanceof Error && reason.cause instanceof Error ? reason.cause : reason
      const text = cause instanceof Error ? cause.message : String(cause)
      throw new StartupError(`The database could not be migrated and is unchanged: ${text}`, error)
    }
    return { applied: status.applied + status.pending, pending: 0, newer: [] }
  })
}

/**
 * Reads only. Throws StartupError when the database has migrations of a newer version that do not allow this one to run
 * (compatibility.ts), or migrations that are not those of the files.
 */
export async function migrationStatus(options: MigrateOptions): Promise<MigrationStatus> {
  return await withClient(options, client =>
    compare(client, options.folder ?? DEFAULT_FOLDER, options.version),
  )
}

/** The applied ones must be the first ones of the files, in order and unedited; after all files come those of newer versions. */
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
      `Migration ${index + 1} of the database is not the one of this plugboard: it was edited, or comes from another version.`,
    )
  }
  const unknown = applied.slice(files.length).map(({ createdAt }) => createdAt)
  const newer = unknown.length === 0 ? [] : await checkCompatibility(client, unknown, version)
  return { applied: applied.length, pending: Math.max(0, files.length - applied.length), newer }
}

/** drizzle's migrator skips, without a word, a file that is dated before the newest applied one. */
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
  try {
    const { rows } = await client.query<{ hash: string; created_at: string }>(
      'SELECT hash, created_at FROM plugboard.migrations ORDER BY id',
    )
    return rows.map(row => ({ hash: row.hash, createdAt: Number(row.created_at) }))
  } catch (error) {
    const missing = codeOf(error) === '42P01' || codeOf(error) === '3F000'
    if (missing) return []
    throw error
  }
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
  // Without a listener a broken connection would end the process; the pending query reports it.
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await work(client)
  } catch (error) {
    throw translateError(error)
  } finally {
    await client.end().catch(() => undefined) // the lock goes with the connection, however it ends
  }
}
