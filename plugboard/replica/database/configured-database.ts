// Opens the database of the settings for a command that does not use the admin API. When a Plugboard runs the embedded
// database, the command connects to it; otherwise it is started for the command.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from '@vera-stack/shared/log.ts'
import { ownCommand } from '@vera-stack/shared/process/own-command.ts'
import { StartupError } from '../../common/startup-error.ts'
import { explainOutage } from '../../database/connection/database-outage.ts'
import { openDatabase } from '../../database/database.ts'
import { EmbeddedPostgres } from '../../database/embedded/embedded-postgres.ts'
import { migrationStatus } from '../../database/migration/migrate.ts'
import type { Store } from '../../database/store/store.ts'
import { VERSION } from '../../version.ts'

export interface DatabasePlace {
  /** Undefined: the embedded database in `data`. */
  readonly databaseUrl: string | undefined
  readonly data: string
}

/**
 * Rejects with StartupError when the database is unavailable or its schema is of another version. Rejects with other errors
 * of `work` unchanged.
 */
export async function withConfiguredDatabase<Result>(
  place: DatabasePlace,
  log: Logger,
  work: (store: Store) => Promise<Result>,
): Promise<Result> {
  if (place.databaseUrl !== undefined) return await withStore(place.databaseUrl, work)
  const folder = join(place.data, 'postgres')
  const running = await EmbeddedPostgres.running(folder)
  if (running !== undefined) {
    return await withStore(running.url, work).finally(() => running.close())
  }
  // A start would create a new database, and the command needs an existing one.
  if (!existsSync(join(folder, 'cluster', 'PG_VERSION'))) {
    throw new StartupError(
      `There is no database in ${folder}: name the data folder, or the database, of Plugboard.`,
    )
  }
  const started = await EmbeddedPostgres.start({ folder, log })
  return await withStore(started.url, work).finally(() => started.stop())
}

function withStore<Result>(url: string, work: (store: Store) => Promise<Result>): Promise<Result> {
  return explainOutage(url, () => withMigratedStore(url, work))
}

async function withMigratedStore<Result>(
  url: string,
  work: (store: Store) => Promise<Result>,
): Promise<Result> {
  const { applied, pending } = await migrationStatus({ url, version: VERSION })
  if (applied === 0) {
    throw new StartupError(
      'This database is empty: start Plugboard on it, which also makes its first admin key.',
    )
  }
  if (pending > 0) {
    throw new StartupError(
      `The schema lacks ${pending} migrations: run ${ownCommand('plugboard')} migrate, or start Plugboard.`,
    )
  }
  const database = openDatabase({ url, applicationName: 'plugboard command', maxConnections: 2 })
  return await work(database.store).finally(() => database.close())
}
