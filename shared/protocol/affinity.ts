// The id of the client connection that a stream belongs to, for backends that authenticate connections (NTLM, Negotiate). It
// is opaque, stands after the fields of an OPEN, and is sent only to a peer whose hello has the feature (PROTOCOL.md,
// "Affinity"). Owners of streams see it as `Opening.affinity`, never as a field.

import type { Fields, Opening } from './streams/stream.ts'

export const AFFINITY_FEATURE = 'affinity'
const AFFINITY_FIELD = 'Plugboard-Affinity'

/** Returns the opening for a peer with the feature. */
export function withAffinityField(opening: Opening, affinity: string): Opening {
  return { ...opening, fields: [...opening.fields, AFFINITY_FIELD, affinity] }
}

/** Removes the id from the fields of an OPEN and returns it; undefined when there is no id. */
export function takeAffinityField(fields: Fields): string | undefined {
  if (fields.at(-2) !== AFFINITY_FIELD) return undefined
  const affinity = fields.pop()
  fields.pop()
  return affinity
}
