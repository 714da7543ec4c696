// Creates the first admin key of a database, and the key that replaces a lost one. Without a first key, no other key could be
// created. A start creates a key only in a database that has never had an admin key. So a restart never replaces a revoked last
// key or a lost file.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { AdminKey, AdminKeyStore } from '../../database/store/store.ts'
import { createApiKey, hashMatches, hashOf, looksLikeApiKey, prefixOf } from './api-key-format.ts'
import { type CredentialState, credentialState } from './credential-state.ts'

/** The file that contains the key, for a person. */
export interface KeyFile {
  read(): Promise<string | undefined>
  /** Writes the key so that a crash during `store` does not lose it. `store` returns undefined when it has not stored the key. */
  replace<Row>(key: string, store: () => Promise<Row | undefined>): Promise<Row | undefined>
  recover(isStored: (key: string) => Promise<boolean>): Promise<boolean>
}

/** `created`: the file holds a new key. `present`: keys exist already; `fileKey` is the state of the key in the file. */
export type FirstKeyOutcome =
  | { readonly kind: 'created' }
  | { readonly kind: 'present'; readonly fileKey: CredentialState | 'unknown' | 'absent' }

/**
 * Creates the first admin key when the database has never had one. Rejects with VeraError `database_unavailable`, or with
 * StartupError when the file cannot be written.
 */
export async function ensureFirstAdminKey(options: {
  readonly adminKeys: AdminKeyStore
  readonly file: KeyFile
  readonly clock: Clock
}): Promise<FirstKeyOutcome> {
  const { adminKeys, file, clock } = options
  const recovered = await file.recover(async key => (await rowOf(adminKeys, key)) !== undefined)
  if (recovered) return { kind: 'created' }
  if (!(await adminKeys.everExisted())) {
    const { key, prefix, hash } = createApiKey()
    const row = { name: 'first admin key', prefix, hash, scopes: ['admin'] }
    const created = await file.replace(key, () => adminKeys.createFirst(row, { actor: 'system' }))
    if (created !== undefined) return { kind: 'created' }
    // Another replica has stored its key first.
  }
  const key = await file.read()
  if (key === undefined) return { kind: 'present', fileKey: 'absent' }
  const row = await rowOf(adminKeys, key)
  return { kind: 'present', fileKey: row === undefined ? 'unknown' : credentialState(row, clock) }
}

/**
 * Creates a new admin key and writes it to the file. `revokeOthers`: the same transaction revokes every other key with the
 * scope `admin`.
 */
export async function resetAdminKey(options: {
  readonly adminKeys: AdminKeyStore
  readonly name: string
  readonly revokeOthers: boolean
  readonly file: Pick<KeyFile, 'replace'>
  readonly actor: string
}): Promise<{ readonly key: string; readonly row: AdminKey }> {
  const { adminKeys, name, revokeOthers, file, actor } = options
  const { key, prefix, hash } = createApiKey()
  const row = await file.replace(key, () =>
    adminKeys.reset({ name, prefix, hash, scopes: ['admin'] }, { actor }, { revokeOthers }),
  )
  return { key, row: row as AdminKey }
}

/** Returns the row of the key when the whole key matches. */
async function rowOf(adminKeys: AdminKeyStore, key: string): Promise<AdminKey | undefined> {
  if (!looksLikeApiKey(key)) return undefined
  const row = await adminKeys.findByPrefix(prefixOf(key))
  return hashMatches(hashOf(key), row?.hash) ? row : undefined
}
