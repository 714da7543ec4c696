// Whether the API key of an open event stream has been revoked since the stream began.

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Store } from '../../database/store/store.ts'

/** Resolves with true when the key has been revoked, or does not exist; with false while the database is unavailable. */
export async function isKeyRevoked({ adminKeys }: Pick<Store, 'adminKeys'>, id: string): Promise<boolean> {
  try {
    return (await adminKeys.get(id)).revokedAt !== null
  } catch (error) {
    if (!(error instanceof VeraError)) throw error
    // A database that was restored from a backup may not have the key.
    if (error.code === 'not_found') return true
    if (error.code === 'database_unavailable') return false
    throw error
  }
}
