// Converts the field list of an HTTP/2 response to a response head or trailers for the tunnel. Node's http2 passes alternating names
// and values in the received order. nghttp2 has already checked the rules of RFC 9113 section 8: the pseudo-header fields, names in
// lower case, no fields of a connection, at most one Content-Length.

import { relayedTrailers } from '@vera-stack/shared/http/headers.ts'
import { statusText } from '@vera-stack/shared/http/status-text.ts'
import type { Fields, StreamResponseHead } from '@vera-stack/shared/protocol/streams/stream.ts'

/** Bytes of one field list, counted as in RFC 9113 section 10.5.1. nghttp2 limits the work to read a list. */
export const MAX_LIST_BYTES = 65_536
const FIELD_OVERHEAD_BYTES = 32

export function isTooLarge(list: readonly string[]): boolean {
  let bytes = (list.length / 2) * FIELD_OVERHEAD_BYTES
  for (const text of list) bytes += text.length
  return bytes > MAX_LIST_BYTES
}

/** HTTP/2 has no reason phrase, so the standard one is added for clients with HTTP/1. */
export function readResponseHead(list: readonly string[]): StreamResponseHead {
  const fields: Fields = []
  let status = 0
  for (let index = 0; index < list.length; index += 2) {
    const name = list[index] as string
    const value = list[index + 1] as string
    if (name.startsWith(':')) status = Number(value)
    else fields.push(name, value)
  }
  return { status, statusText: statusText(status), fields }
}

/** Returns the trailers that may be forwarded; undefined when no trailer remains. */
export function readTrailers(list: readonly string[]): Fields | undefined {
  return relayedTrailers(list)
}
