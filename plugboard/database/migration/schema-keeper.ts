// Updates the schema once after the start of a replica, before the replica reads routes from the database. While the database
// is down, each attempt to open the change feed first retries the update (replica-database.ts). Meanwhile a replica with a
// snapshot serves requests.

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { ownCommand } from '@vera-stack/shared/process/own-command.ts'
import { StartupError } from '../../common/startup-error.ts'
import { type MigrationStatus, migrateDatabase, migrationStatus } from './migrate.ts'

export interface SchemaKeeperOptions {
  readonly url: string
  /** False: pending migrations are an error, and are not applied. */
  readonly migrate: boolean
  /** The version of this program. */
  readonly version: string
  readonly log: Logger
}

export class SchemaKeeper {
  readonly #options: SchemaKeeperOptions
  #checked = false
  #newer: readonly string[] = []
  #checking: Promise<void> | undefined

  constructor(options: SchemaKeeperOptions) {
    this.#options = options
  }

  /**
   * Checks the schema, and has no effect after the first success. Rejects with `database_unavailable`, or with StartupError
   * when database and code do not match.
   */
  async check(): Promise<void> {
    if (this.#checked) return
    this.#checking ??= this.#bringUpToDate().finally(() => {
      this.#checking = undefined
    })
    await this.#checking
  }

  /** Like `check`, for the start: resolves also when the database is down, because a snapshot may be enough. */
  async start(): Promise<void> {
    try {
      await this.check()
    } catch (error) {
      if (!(error instanceof VeraError) || error.code !== 'database_unavailable') throw error
    }
  }

  /** Migrations of newer versions that the database had at the last check. Empty before it. */
  get newerMigrations(): readonly string[] {
    return this.#newer
  }

  /** Reads the state of the schema, and writes nothing. Rejects like `check`. */
  status(): Promise<MigrationStatus> {
    const { url, version } = this.#options
    return migrationStatus({ url, version })
  }

  /** Waits for a check that is in progress. */
  async stop(): Promise<void> {
    await this.#checking?.catch(() => undefined) // the caller of the check gets the error
  }

  async #bringUpToDate(): Promise<void> {
    const { url, migrate, version, log } = this.#options
    const before = await migrationStatus({ url, version })
    if (before.pending > 0) {
      if (!migrate) throw new StartupError(behind(before))
      await migrateDatabase({ url, version })
      log.info('schema brought up to date', { count: before.pending })
    }
    this.#newer = before.newer
    if (before.newer.length > 0) {
      const detail = `Migrations that this version does not have: ${before.newer.join(', ')}.`
      log.warn('the schema is of a newer version that allows this one to run', {
        version,
        count: before.newer.length,
        detail,
      })
    }
    this.#checked = true
  }
}

function behind({ pending }: MigrationStatus): string {
  return `The schema lacks ${pending} migrations, and the setting "migrate" is off. Run ${ownCommand('plugboard')} migrate first.`
}
