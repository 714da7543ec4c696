// Converts a request of the tunnel to the field list of an HTTP/2 request (RFC 9113 section 8.3.1): alternating names and values, as
// Node's http2 expects them. Fields that apply to a connection are removed (section 8.2.2), Host becomes `:authority`, and an
// upgrade to WebSocket becomes an extended CONNECT (RFC 8441).

import { authenticatesConnection } from '@vera-stack/shared/http/connection-auth.ts'
import { equalsIgnoringCase, FIELD, fieldOf, relayedTrailers } from '@vera-stack/shared/http/headers.ts'
import type { Fields } from '@vera-stack/shared/protocol/streams/stream.ts'
import { type BackendRequest, type HostRule, RequestError } from '../backend-exchange.ts'
import { isToken, TEXT, trimBlanks } from '../http1/parser/grammar.ts'
import { requestLength } from '../request-length.ts'

export interface Http2RequestHead {
  /** Pseudo-header fields first, names in lower case. */
  readonly list: string[]
  /** Bytes of body that the request announces. */
  readonly contentLength: number | undefined
  /** Key of an upgrade to WebSocket, for the response to the client's handshake (RFC 6455 section 4.2.2). */
  readonly webSocketKey: string | undefined
  /** True when a credential is meant for the whole connection. */
  readonly authenticatesConnection: boolean
}

const PATH = /^[\x21-\x7e\x80-\xff]+$/
const VALUE = new RegExp(`^${TEXT}$`)
const KEY = 'sec-websocket-key'

/** Converts a request. `scheme` is the scheme of this connection, not of the client's. Throws RequestError. */
export function writeRequestFields(
  request: BackendRequest,
  hostRule: HostRule,
  scheme: 'http' | 'https',
): Http2RequestHead {
  const { method, target, fields, upgrade } = request
  if (!isToken(method) || !PATH.test(target))
    throw new RequestError('The method or the target of the request is not valid HTTP.')
  if (method === 'CONNECT') throw new RequestError('The method CONNECT cannot be forwarded to a backend.')
  const list = [':method', upgrade ? 'CONNECT' : method, ':scheme', scheme, ':authority', '', ':path', target]
  const authorityAt = 5
  if (upgrade) list.push(':protocol', 'websocket')
  let contentLength: number | undefined
  let webSocketKey: string | undefined
  let authenticates = false
  let chunked = false
  let te = false
  let hosts = 0
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string
    const raw = fields[index + 1] as string
    // Blanks around a value are a malformed message here (RFC 9113 section 8.2.1).
    const value = trimBlanks(raw, 0, raw.length)
    if (!isToken(name) || !VALUE.test(value))
      throw new RequestError('A field of the request is not valid HTTP.')
    switch (fieldOf(name)) {
      case FIELD.host:
        hosts += 1
        if (hosts > 1) throw new RequestError('The request has more than one Host field.')
        list[authorityAt] = value
        continue
      case FIELD.contentLength:
        contentLength = requestLength(value, contentLength)
        list.push('content-length', String(contentLength))
        continue
      case FIELD.transferEncoding:
        chunked = true
        continue
      case FIELD.te:
        if (!te && equalsIgnoringCase(value, 'trailers')) list.push('te', 'trailers')
        te = true
        continue
      case FIELD.connection:
      case FIELD.upgrade:
      case FIELD.hopByHop:
        continue
      default:
        if (upgrade && name.length === KEY.length && equalsIgnoringCase(name, KEY)) {
          webSocketKey = value
          continue
        }
        if (authenticatesConnection(name, value)) authenticates = true
    }
    list.push(name.toLowerCase(), value)
  }
  if (chunked && contentLength !== undefined) {
    throw new RequestError('The request has both Transfer-Encoding and Content-Length.')
  }
  if (upgrade && (chunked || (contentLength ?? 0) > 0))
    throw new RequestError('The request asks for an upgrade and has a body.')
  if (hostRule.kind === 'fixed') list[authorityAt] = hostRule.host
  else if (hosts === 0) list[authorityAt] = hostRule.fallback
  return { list, contentLength, webSocketKey, authenticatesConnection: authenticates }
}

/**
 * Returns the trailers that may be forwarded, in the form of Node's http2; undefined when a trailer is not a valid field. Without
 * trailers it returns an empty object, and Node ends the stream with an empty DATA frame.
 */
export function writeTrailers(trailers: Fields | undefined): Record<string, string[]> | undefined {
  const written: Record<string, string[]> = Object.create(null)
  const kept = (trailers && relayedTrailers(trailers)) ?? []
  for (let index = 0; index < kept.length; index += 2) {
    const name = (kept[index] as string).toLowerCase()
    const raw = kept[index + 1] as string
    const value = trimBlanks(raw, 0, raw.length)
    if (!isToken(name) || !VALUE.test(value)) return undefined
    const values = written[name]
    if (values === undefined) written[name] = [value]
    else values.push(value)
  }
  return written
}
