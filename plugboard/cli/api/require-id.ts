// The ids of tokens and API keys, whose names are not unique: a name in the place of an id gets an error that says so.

import { usageError } from '../cli-error.ts'

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Before the first request, so that a mistake in one id revokes nothing. */
export function requireIds(ids: readonly string[], kind: 'token' | 'key'): void {
  for (const id of ids) {
    if (!ID.test(id))
      throw usageError(`"${id}" is not an id: "plugboard ${kind} list" shows the id of each ${kind}`)
  }
}
