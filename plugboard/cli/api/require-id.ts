// Checks the ids of tokens and API keys. Their names are not unique, so a name in the place of an id gets a clear error.

import { usageError } from '../cli-error.ts'

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Throws when a text is not an id. It runs before the first request, so that no key is revoked when one id is wrong. */
export function requireIds(ids: readonly string[], kind: 'token' | 'key'): void {
  for (const id of ids) {
    if (!ID.test(id))
      throw usageError(`"${id}" is not an id: "plugboard ${kind} list" shows the id of each ${kind}`)
  }
}
