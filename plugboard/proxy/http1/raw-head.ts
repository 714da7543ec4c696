// Response heads that are written directly to the socket: 1xx, because Node's responses cannot write every such status
// (RFC 9110 section 15.2), and 101, for which Node has no response object. Fields with line breaks are never written.

import { STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http'

/**
 * Returns the head, which the caller writes as latin1. Returns undefined when a field is not valid HTTP. `status`: 101 to 199.
 * `fields`: names and values, alternating.
 */
export function rawHead(status: number, fields: readonly string[]): string | undefined {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Interim'}\r\n`
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] as string
    const value = fields[index + 1] as string
    try {
      validateHeaderName(name)
      validateHeaderValue(name, value)
    } catch {
      return undefined
    }
    head += `${name}: ${value}\r\n`
  }
  return `${head}\r\n`
}
