// Brings the schema up to date at start. A database that is down must not keep a replica with a snapshot from
// serving, so then the work goes on in the background; a database that does not fit the code ends the start.

import { Backoff } from '@vera-stack/shared/backoff.ts'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { type MigrationStatus, migrateDatabase, migrationStatus } from './migrate.ts'
import { StartupError } from './startup-error.ts'

export interface SchemaKeeperOptions {
  readonly url: string
  /** False: only look, and refuse to start when something is pending. */
  readonly migrate: boolean
  readonly log: Logger
  readonly clock: Clock
}

export class SchemaKeeper {
  readonly #options: SchemaKeeperOptions
  readonly #backoff = new Backoff({ baseMs: 500, capMs: 10_000 })
  #timer: Timer | undefined
  #stopped = false
  #attempting: Promise<void> = Promise.resolve()

  constructor(options: SchemaKeeperOptions) {
    this.#options = options
  }

  /**
   * True: the schema fits. False: the database is down, and the keeper goes on trying until `stop`.
   * Throws StartupError when database and code do not fit together.
   */
  async start(): Promise<boolean> {
    if (await this.#attempt()) return true
    this.#options.log.warn('the database cannot be reached, its schema is looked at later')
    this.#retry()
    return false
  }

  /** Waits for an attempt that is under way. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    await this.#attempting
  }

  async #attempt(): Promise<boolean> {
    const { url, migrate, log } = this.#options
    try {
      const before = await migrationStatus({ url })
      if (before.pending === 0) return true
      if (!migrate) throw new StartupError(behind(before))
      await migrateDatabase({ url })
      log.info('schema brought up to date', { count: before.pending })
      return true
    } catch (error) {
      if (error instanceof VeraError && error.code === 'database_unavailable') return false
      throw error
    }
  }

  #retry(): void {
    if (this.#stopped) return
    this.#timer = this.#options.clock.after(this.#backoff.next(250), () => {
      this.#attempting = this.#attempt().then(
        done => {
          if (!done) this.#retry()
        },
        // The replica serves from its snapshot; whoever reads this decides what is to be done.
        error => this.#options.log.error('the database does not fit this version', { err: error }),
      )
    })
  }
}

function behind({ pending }: MigrationStatus): string {
  return `The schema lacks ${pending} migrations and "migrate" is off: run plugboard migrate first.`
}
