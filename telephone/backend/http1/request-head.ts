// Converts a request of the tunnel to the head for the backend and the framing of the body. The Plugboard has removed the
// hop-by-hop fields. This file handles only the framing: it replaces Transfer-Encoding, and checks and keeps
// Content-Length.

import { authenticatesConnection } from '@vera-stack/shared/http/connection-auth.ts'
import { FIELD, fieldOf, relayedTrailers } from '@vera-stack/shared/http/headers.ts'
import type { Fields } from '@vera-stack/shared/protocol/streams/stream.ts'
import { type BackendRequest, type HostRule, RequestError } from '../backend-exchange.ts'
import { requestLength } from '../request-length.ts'
import { FIELD_LINES, TOKEN } from './parser/grammar.ts'

/** The framing of the request body. `raw`: an upgrade, plain bytes after the 101. */
export type RequestFraming = 'none' | 'length' | 'chunked' | 'raw'

export interface Http1RequestHead {
  readonly text: string
  readonly framing: RequestFraming
  readonly contentLength: number
  /** True when a credential of the request applies to the whole connection. */
  readonly authenticatesConnection: boolean
}

// Methods whose requests have no body unless a field announces one. Requests with other methods and no body get a
// Content-Length of 0, because some servers otherwise respond with 411 (RFC 9110 section 8.6).
const BODYLESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'])
// The check applies to the written head and counts its lines, so that no value can add a line.
const HEAD = new RegExp(`^${TOKEN} [\\x21-\\x7e\\x80-\\xff]+ HTTP/1\\.1${FIELD_LINES}\\r\\n\\r\\n$`)

/** Throws RequestError. */
export function writeRequestHead(request: BackendRequest, hostRule: HostRule): Http1RequestHead {
  const { method, fields } = request
  let head = `${method} ${request.target} HTTP/1.1\r\n`
  let contentLength: number | undefined
  let chunked = false
  let hosts = 0
  let authenticates = false
  // The request line, one line for each field, and the empty line. Corrected below.
  let lines = 2 + fields.length / 2
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string
    const value = fields[index + 1] as string
    switch (fieldOf(name)) {
      case FIELD.contentLength:
        contentLength = requestLength(value, contentLength)
        head += `${name}: ${contentLength}\r\n`
        continue
      case FIELD.transferEncoding:
        chunked = true
        lines -= 1
        continue
      case FIELD.host:
        hosts += 1
        if (hosts > 1) throw new RequestError('The request has more than one Host field.')
        if (hostRule.kind === 'fixed') {
          head += `${name}: ${hostRule.host}\r\n`
          continue
        }
        break
      case FIELD.other:
        if (authenticatesConnection(name, value)) authenticates = true
        break
    }
    head += `${name}: ${value}\r\n`
  }
  if (hosts === 0) {
    head += `Host: ${hostRule.kind === 'fixed' ? hostRule.host : hostRule.fallback}\r\n`
    lines += 1
  }

  let framing: RequestFraming = 'none'
  if (chunked && contentLength !== undefined) {
    throw new RequestError('The request has both Transfer-Encoding and Content-Length.')
  } else if (request.upgrade) {
    if (chunked || (contentLength ?? 0) > 0)
      throw new RequestError('The request asks for an upgrade and has a body.')
    framing = 'raw'
  } else if (contentLength !== undefined) {
    framing = contentLength === 0 ? 'none' : 'length'
  } else if (chunked || !request.ended) {
    framing = 'chunked'
    head += 'Transfer-Encoding: chunked\r\n'
    lines += 1
  } else if (!BODYLESS.has(method)) {
    head += 'Content-Length: 0\r\n'
    lines += 1
  }
  head += '\r\n'
  if (!HEAD.test(head) || countLines(head) !== lines)
    throw new RequestError('The method, the target or a field of the request is not valid HTTP.')
  return { text: head, framing, contentLength: contentLength ?? 0, authenticatesConnection: authenticates }
}

function countLines(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count += 1
  return count
}

const TRAILERS = new RegExp(`^0${FIELD_LINES}\\r\\n\\r\\n$`)

/** Returns the last chunk with the trailers that may be forwarded. Undefined when a trailer is not a valid field. */
export function lastChunk(trailers: Fields | undefined): string | undefined {
  const kept = trailers === undefined ? undefined : relayedTrailers(trailers)
  if (kept === undefined) return '0\r\n\r\n'
  let text = '0\r\n'
  for (let index = 0; index < kept.length; index += 2) {
    text += `${kept[index] as string}: ${kept[index + 1] as string}\r\n`
  }
  text += '\r\n'
  return TRAILERS.test(text) && countLines(text) === kept.length / 2 + 2 ? text : undefined
}
