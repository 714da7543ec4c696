// The field that marks the copy of a request (`mirror` of a service). Plugboard drops fields with the prefix `Plugboard-` from
// requests of clients (proxy/edge/field-kind.ts), so only Plugboard sends it.

import type { Opening } from '@vera-stack/shared/protocol/streams/stream.ts'

export const MIRROR_FIELD = 'Plugboard-Mirror'

/** True when the stream carries a copy. */
export function isMirrored({ fields }: Opening): boolean {
  for (let index = 0; index < fields.length; index += 2) if (fields[index] === MIRROR_FIELD) return true
  return false
}
