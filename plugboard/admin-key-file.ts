// The first admin key and its file, <data>/secrets/admin.key, where the command line looks for it.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { ensureFirstAdminKey } from './admin/first-admin-key.ts'
import type { AdminKeyStore } from './database/store.ts'
import { SecretsFolder } from './secrets-folder.ts'

export const ADMIN_KEY_FILE = 'admin.key'

/** `when-none`: for a replica that may not be the first; only a database without any key gets one. */
export type AdminKeyRule = 'always' | 'when-none'

/** Without a key nobody could use the admin API. A database that is down is no reason not to serve. */
export async function provideAdminKey(options: {
  readonly adminKeys: AdminKeyStore
  readonly data: string
  readonly rule: AdminKeyRule
  readonly clock: Clock
  readonly log: Logger
}): Promise<void> {
  const { adminKeys, data, rule, clock, log } = options
  const secrets = new SecretsFolder(data)
  const file = {
    read: () => secrets.read(ADMIN_KEY_FILE),
    write: (key: string) => secrets.write(ADMIN_KEY_FILE, key),
  }
  try {
    if (rule === 'when-none' && (await file.read()) === undefined) {
      const { items } = await adminKeys.list({ active: true, limit: 1 })
      if (items.length > 0) return
    }
    const { created } = await ensureFirstAdminKey({ adminKeys, file, clock })
    if (created) log.info('first admin key written', { file: secrets.file(ADMIN_KEY_FILE) })
  } catch (error) {
    if (!(error instanceof VeraError) || error.code !== 'database_unavailable') throw error
    log.warn('the database cannot be reached, admin keys were not looked at')
  }
}
