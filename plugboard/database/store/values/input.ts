// Checks the input of callers before it reaches the schema, with an error that names the field. The database checks the same
// rules again, but its messages are not made for people.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { type Mount, type ParsedMount, parseMount, parseServiceName } from '@vera-stack/shared/mounts.ts'

function unwrap<Value>(parsed: ParsedMount<Value>, field: string): Value {
  if (parsed.ok) return parsed.value
  throw new VeraError('invalid_request', `${parsed.problem}.`, { field })
}

export function validMount(written: string): Mount {
  return unwrap(parseMount(written), 'mount')
}

export function validServiceName(written: string, field = 'name'): string {
  return unwrap(parseServiceName(written), field)
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export function isId(text: string): boolean {
  return UUID.test(text)
}

/** Returns the error of a change that found no row to update: the row has another version, or was deleted. */
export function untouched(what: string, found: { readonly version: number } | undefined): VeraError {
  if (found === undefined) return new VeraError('not_found', `There is no such ${what}.`)
  return new VeraError('precondition_failed', `The ${what} is at version ${found.version} now.`)
}
