// `plugboard key reset`: creates a new admin key when the keys of a Plugboard are lost. The command needs no key, because it writes
// to the database directly. A person with access to the database has all rights anyway.

import { relative } from 'node:path'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { ownCommand } from '@vera-stack/shared/process/own-command.ts'
import type { Command } from 'commander'
import type { CliContext } from '../../api/api-command.ts'
import { examples } from '../../api/api-command.ts'

interface ResetOptions {
  readonly databaseUrl?: string
  readonly config?: string
  readonly data?: string
  readonly name: string
  readonly revokeOthers?: boolean
  readonly stdout?: boolean
}

export function defineKeyReset(command: Command, context: CliContext): void {
  command
    .description('create an admin key through the database, to replace a lost key')
    .option('--database-url <url>', 'the database (PLUGBOARD_DATABASE_URL or _FILE, or DATABASE_URL)')
    .option('--data <folder>', 'data folder, with the embedded database (default ./data; PLUGBOARD_DATA)')
    .option('-c, --config <path>', 'YAML file with settings')
    .option('-n, --name <name>', 'purpose of the key', 'reset key')
    .option('--revoke-others', 'revoke all other keys with the scope admin')
    .option('--stdout', 'print the key, instead of writing it to secrets/admin.key in the data folder')
    .action(async ({ name, revokeOthers = false, stdout = false, ...flags }: ResetOptions) => {
      const [{ loadPlugboardConfig }, { withConfiguredDatabase }, { makeAdminKey }, { AdminKeyFile }] =
        await Promise.all([
          import('../../../config.ts'),
          import('../../../replica/database/configured-database.ts'),
          import('../../../replica/database/offline-admin-key.ts'),
          import('../../../replica/files/admin-key-file.ts'),
        ])
      const { values } = loadPlugboardConfig({ flags: { ...flags }, env: context.env, cwd: context.cwd })
      const file = stdout ? undefined : new AdminKeyFile(values.data)
      const { key, row, others } = await withConfiguredDatabase(values, silentLogger, ({ adminKeys }) =>
        makeAdminKey({ adminKeys, name, revokeOthers, file }),
      )
      const { out, err } = context.terminal
      if (file === undefined) {
        err(`admin key ${row.id}. It is shown only once:\n`)
        out(`${key}\n`)
      } else {
        const path = relative(context.cwd, file.path)
        out(`admin key ${row.id} written to ${path}\n`)
      }
      if (others > 0) {
        err(
          `note: ${others} other key(s) with the scope admin stay active: ${ownCommand('plugboard')} key list --active\n`,
        )
      }
    })
  examples(
    command,
    'key reset',
    'key reset --revoke-others',
    'key reset --database-url postgres://plugboard@db.internal/plugboard --stdout > admin.key',
  )
}
