// The JSON of the members of access lines whose values come from the configuration, such as the id of a route. The same few
// combinations of values are in most lines, so their bytes are kept. When there are many combinations, they replace each other: a Map that changes
// with every request would cost time in the garbage collector (docs/decisions/0005).

import type { AccessFields } from './fields.ts'

type Known = Pick<
  AccessFields,
  'protocol' | 'route' | 'mount' | 'service' | 'telephoneId' | 'peer' | 'subset'
>

interface Entry extends Known {
  readonly bytes: Uint8Array
}

/** A power of 2. */
const PLACES = 512

export class KnownMembers {
  /** By place: the values that were there last, and their bytes. */
  readonly #entries: (Entry | undefined)[] = new Array<undefined>(PLACES).fill(undefined)

  /** Returns the members with a comma before each, in the order of `Known`. Undefined values have no member. */
  of(record: Known): Uint8Array {
    const place = (placeOf(record.route) ^ (placeOf(record.telephoneId) << 1)) & (PLACES - 1)
    const kept = this.#entries[place]
    if (kept !== undefined && isSame(kept, record)) return kept.bytes
    const { protocol, route, mount, service, telephoneId, peer, subset } = record
    const known = { protocol, route, mount, service, telephoneId, peer, subset }
    const members = JSON.stringify(known).slice(1, -1)
    const bytes = new TextEncoder().encode(members === '' ? '' : `,${members}`)
    this.#entries[place] = { ...known, bytes }
    return bytes
  }
}

function isSame(kept: Known, record: Known): boolean {
  return (
    kept.route === record.route &&
    kept.telephoneId === record.telephoneId &&
    kept.protocol === record.protocol &&
    kept.mount === record.mount &&
    kept.service === record.service &&
    kept.peer === record.peer &&
    kept.subset === record.subset
  )
}

/** Returns a number from the last characters, in which ids and names differ. */
function placeOf(value: string | undefined): number {
  if (value === undefined) return 0
  const last = value.length - 1
  return value.charCodeAt(last) ^ (value.charCodeAt(last - 1) << 3) ^ (value.charCodeAt(last - 2) << 6)
}
