// The first admin key: without one nobody could make another. It lies in a file beside the data, where the command
// line finds it.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { AdminKeyStore } from '../database/store.ts'
import { createApiKey, hashMatches, hashOf, looksLikeApiKey, prefixOf } from './api-key.ts'
import { credentialState } from './credential-state.ts'

const ACTOR = 'system'

/** A file that only its owner can read. */
export interface KeyFile {
  /** Undefined when there is none. */
  read(): Promise<string | undefined>
  /** Whole or not at all. */
  write(key: string): Promise<void>
}

/**
 * Makes sure that the file holds a key that works and may do everything; returns it. The file comes first:
 * whatever this is interrupted by, the next call ends with the same key in both places. A key that was revoked
 * or has expired is replaced: whoever can write the data folder is its administrator.
 */
export async function ensureFirstAdminKey(options: {
  readonly adminKeys: AdminKeyStore
  readonly file: KeyFile
  readonly clock: Clock
}): Promise<{ readonly key: string; readonly created: boolean }> {
  const { adminKeys, file, clock } = options
  const existing = (await file.read())?.trim()
  if (existing !== undefined && looksLikeApiKey(existing)) {
    const row = await adminKeys.findByPrefix(prefixOf(existing))
    if (row === undefined) {
      await insert(adminKeys, existing)
      return { key: existing, created: true }
    }
    if (credentialState(row, clock) === 'active' && hashMatches(hashOf(existing), row.hash)) {
      return { key: existing, created: false }
    }
  }
  const { key } = createApiKey()
  await file.write(key)
  await insert(adminKeys, key)
  return { key, created: true }
}

async function insert(adminKeys: AdminKeyStore, key: string): Promise<void> {
  const row = { name: 'first admin key', prefix: prefixOf(key), hash: hashOf(key), scopes: ['admin'] }
  await adminKeys.create(row, { actor: ACTOR })
}
