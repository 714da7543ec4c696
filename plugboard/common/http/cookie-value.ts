// Reads one cookie of a request (RFC 6265, section 5.4). A client may send several Cookie fields, because HTTP/2 allows it.

import { equalsIgnoringCase } from '@vera-stack/shared/http/headers.ts'

/**
 * Returns the value of the first cookie with this name; undefined: the request has no such cookie. `fields`: name, value, name,
 * value. The time is linear in the length of the fields.
 */
export function cookieValue(fields: readonly string[], name: string): string | undefined {
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (!equalsIgnoringCase(fields[index] as string, 'cookie')) continue
    const value = valueIn(fields[index + 1] as string, name)
    if (value !== undefined) return value
  }
  return undefined
}

function valueIn(cookies: string, name: string): string | undefined {
  let start = 0
  while (start < cookies.length) {
    const semicolon = cookies.indexOf(';', start)
    const end = semicolon === -1 ? cookies.length : semicolon
    while (cookies[start] === ' ') start += 1
    if (cookies.startsWith(name, start) && cookies[start + name.length] === '=') {
      return unquoted(cookies.slice(start + name.length + 1, end).trimEnd())
    }
    start = end + 1
  }
  return undefined
}

function unquoted(value: string): string {
  return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
}
