// Reads and edits a flat list of fields for the backend or the client: name, value, name, value.

import { equalsIgnoringCase, plainName, removeFieldsWhere } from '@vera-stack/shared/http/headers.ts'

/** Returns the value of a field (its name in lower case). Undefined: the field is missing. Null: it occurs more than once. */
export function soleValue(fields: readonly string[], lowerCase: string): string | undefined | null {
  let value: string | undefined
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (!equalsIgnoringCase(fields[index] as string, lowerCase)) continue
    if (value !== undefined) return null
    value = fields[index + 1]
  }
  return value
}

/** A set of field names that matches every spelling of them (see `plainName`). */
export class FieldNames {
  readonly #names: ReadonlySet<string>
  /** Every spelling of a name has at least this length. */
  readonly #shortest: number

  constructor(names: readonly string[]) {
    this.#names = new Set(names.map(plainName))
    this.#shortest = Math.min(...[...this.#names].map(name => name.length))
  }

  /** Removes the named fields from a list, in place. */
  removeFrom(fields: string[]): void {
    if (this.#names.size === 0) return
    removeFieldsWhere(fields, name => name.length >= this.#shortest && this.#names.has(plainName(name)))
  }
}

/** Adds a member to the list in Vary, unless it is already there: `Vary: Accept` → `Vary: Accept, Origin`. */
export function addToVary(fields: string[], member: string): void {
  let last = -1
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (!equalsIgnoringCase(fields[index] as string, 'vary')) continue
    const members = (fields[index + 1] as string).split(',').map(each => each.trim().toLowerCase())
    if (members.includes('*') || members.includes(member.toLowerCase())) return
    last = index
  }
  if (last === -1) fields.push('Vary', member)
  else fields[last + 1] = `${fields[last + 1]}, ${member}`
}
