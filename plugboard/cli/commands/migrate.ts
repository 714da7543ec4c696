// `plugboard migrate`: updates the schema of a database, or prints its state. It connects to the database directly, because
// the admin API does not exist before the first migration.

import { ownCommand } from '@vera-stack/shared/process/own-command.ts'
import type { Command } from 'commander'
import { VERSION } from '../../version.ts'
import type { CliContext } from '../api/api-command.ts'
import { examples } from '../api/api-command.ts'
import { CliError } from '../cli-error.ts'

interface MigrateOptions {
  readonly status?: boolean
}

export function defineMigrate(command: Command, context: CliContext): void {
  command
    .option('--database-url <url>', 'the database (PLUGBOARD_DATABASE_URL or _FILE, or DATABASE_URL)')
    .option('-c, --config <path>', 'YAML file with settings')
    .option('--status', 'only print pending migrations; exit code 1 if there are any')
    .action(async (options: MigrateOptions, self: Command) => {
      const [{ loadPlugboardConfig }, { migrateDatabase, migrationStatus }, { explainOutage }] =
        await Promise.all([
          import('../../config.ts'),
          import('../../database/migration/migrate.ts'),
          import('../../database/connection/database-outage.ts'),
        ])
      const { values } = loadPlugboardConfig({ flags: { ...options }, env: context.env, cwd: context.cwd })
      const url = values.databaseUrl
      if (url === undefined) {
        throw new CliError(
          'no database: give --database-url, or set PLUGBOARD_DATABASE_URL. Plugboard migrates its embedded database at the start',
        )
      }
      const work = options.status ? migrationStatus : migrateDatabase
      const { applied, pending, newer } = await explainOutage(url, () => work({ url, version: VERSION }))
      const { json = false } = self.optsWithGlobals<{ json?: boolean }>()
      const line = json
        ? JSON.stringify({ applied, pending, newer })
        : `${applied} migrations applied, ${pending} pending${newerText(newer)}`
      context.terminal.out(`${line}\n`)
      if (pending > 0) throw new CliError(`the schema is behind: run ${ownCommand('plugboard')} migrate`)
    })
  examples(command, 'migrate --status', 'migrate --database-url postgres://plugboard@db.internal/plugboard')
}

function newerText(newer: readonly string[]): string {
  return newer.length === 0 ? '' : `, of which a newer version applied ${newer.join(', ')}`
}
