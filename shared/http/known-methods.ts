// The methods that metrics and spans show. Clients can invent any number of others.

/** The value for all other methods, as in the semantic conventions of OpenTelemetry. */
export const OTHER_METHOD = '_OTHER'

export const KNOWN_METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
  'QUERY',
] as const

const NAMES: ReadonlySet<string> = new Set(KNOWN_METHODS)

export function isKnownMethod(method: string): boolean {
  return NAMES.has(method)
}
