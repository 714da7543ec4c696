// Admin keys outside of the admin API: the first key of a new database, and the key that replaces a lost one. Both go
// through the database; <data>/secrets/admin.key holds a copy for the command line.

import { resolve } from 'node:path'
import type { Clock } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { ownCommand, shellQuoted } from '@vera-stack/shared/process/own-command.ts'
import { ensureFirstAdminKey, resetAdminKey } from '../../admin/access/first-admin-key.ts'
import type { AdminKey, AdminKeyStore } from '../../database/store/store.ts'
import { AdminKeyFile } from '../files/admin-key-file.ts'

function resetAdvice(data: string): string {
  const command = `${ownCommand('plugboard')} key reset --data ${shellQuoted(resolve(data))}`
  return `Run "${command}" on this machine to write a new key.`
}

/** Runs at each start. Only logs that the database is unavailable, because the replica serves from its snapshot. */
export async function provideAdminKey(options: {
  readonly adminKeys: AdminKeyStore
  readonly data: string
  readonly clock: Clock
  readonly log: Logger
}): Promise<void> {
  const { adminKeys, data, clock, log } = options
  const file = new AdminKeyFile(data)
  try {
    const outcome = await ensureFirstAdminKey({ adminKeys, file, clock })
    if (outcome.kind === 'created') log.info('first admin key written', { file: file.path })
    else if (outcome.fileKey === 'unknown') {
      const detail = `The database does not have the key in this file. ${resetAdvice(data)}`
      log.warn('the admin key file cannot be used', { file: file.path, detail })
    } else if (outcome.fileKey === 'revoked' || outcome.fileKey === 'expired') {
      const detail = `The key in this file is ${outcome.fileKey}. ${resetAdvice(data)}`
      log.warn('the admin key file cannot be used', { file: file.path, detail })
    }
  } catch (error) {
    if (!(error instanceof VeraError) || error.code !== 'database_unavailable') throw error
    log.info('the database is unavailable, the admin key file was not checked')
  }
}

/** For `plugboard key reset`. `file`: undefined to write no file. */
export async function makeAdminKey(options: {
  readonly adminKeys: AdminKeyStore
  readonly name: string
  readonly revokeOthers: boolean
  readonly file: AdminKeyFile | undefined
}): Promise<{ readonly key: string; readonly row: AdminKey; readonly others: number }> {
  const { adminKeys, name, revokeOthers, file } = options
  const made = await resetAdminKey({
    adminKeys,
    name,
    revokeOthers,
    file: file ?? { replace: (_key, store) => store() },
    actor: 'plugboard key reset',
  })
  const others = await adminKeys.countActiveAdmins()
  return { ...made, others: others - 1 }
}
