// Work on a flat list of fields as it goes to the backend or to the client: name, value, name, value.

import { equalsIgnoringCase, plainName, removeFieldsWhere } from '@vera-stack/shared/headers.ts'

/** The value of a field (its name in lower case); undefined: it is not there; null: it is, more than once. */
export function soleValue(fields: readonly string[], lowerCase: string): string | undefined | null {
  let value: string | undefined
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (!equalsIgnoringCase(fields[index] as string, lowerCase)) continue
    if (value !== undefined) return null
    value = fields[index + 1]
  }
  return value
}

/** Names of fields, however they are spelt. */
export class FieldNames {
  readonly #names: ReadonlySet<string>
  /** Every spelling of a name has at least this length. */
  readonly #shortest: number

  constructor(names: readonly string[]) {
    this.#names = new Set(names.map(plainName))
    this.#shortest = Math.min(...[...this.#names].map(name => name.length))
  }

  /** From a list of fields, in place. */
  removeFrom(fields: string[]): void {
    if (this.#names.size === 0) return
    removeFieldsWhere(fields, name => name.length >= this.#shortest && this.#names.has(plainName(name)))
  }
}

/** Adds a member to the list that a field holds, unless it is there: `Vary: Accept` → `Vary: Accept, Origin`. */
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
