// Which client connection a stream belongs to, for backends that authenticate connections (NTLM, Negotiate): an opaque id
// behind the fields of an OPEN, only for a peer whose hello has the feature (PROTOCOL.md, "Affinity"). Owners of
// streams see it as `Opening.affinity`, never as a field.

import type { Fields, Opening } from './stream.ts'

export const AFFINITY_FEATURE = 'affinity'
const AFFINITY_FIELD = 'Plugboard-Affinity'

/** What is sent to a peer with the feature. */
export function withAffinityField(opening: Opening, affinity: string): Opening {
  return { ...opening, fields: [...opening.fields, AFFINITY_FIELD, affinity] }
}

/** Takes the id out of the fields of an OPEN. Undefined: there is none. */
export function takeAffinityField(fields: Fields): string | undefined {
  if (fields.at(-2) !== AFFINITY_FIELD) return undefined
  const affinity = fields.pop()
  fields.pop()
  return affinity
}
