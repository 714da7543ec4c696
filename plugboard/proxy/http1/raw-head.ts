// Answer heads that are written to the socket by hand: 1xx, for Nodes whose responses cannot write any status of that
// kind (RFC 9110 section 15.2), and the 101, which has no response. A field that a client could read as more than
// one is never written.

import { STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http'

/** `status`: 101 to 199. `fields`: name and value in turns. To be written as latin1. Undefined: they are not HTTP. */
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
