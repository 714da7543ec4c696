// Converts the head of an HTTP/2 request to its HTTP/1.1 form (RFC 9113 section 8.3), so that the same admission decides about
// both and the same fields are forwarded. Refuses heads that nghttp2 accepts although two readers could disagree about them. A
// WebSocket by extended CONNECT (RFC 8441) becomes the equivalent GET.

import { randomBytes } from 'node:crypto'
import { METHODS } from 'node:http'
import { FIELD, fieldOf } from '@vera-stack/shared/http/headers.ts'
import type { RequestHead } from '../edge/request-head.ts'

export interface Http2Head extends RequestHead {
  readonly kind: 'http' | 'upgrade'
  readonly method: string
  /** The key of the WebSocket handshake with the backend; empty for `http`. */
  readonly webSocketKey: string
  /** Size of the fields, by the rule of RFC 9113 section 10.5.1. */
  readonly bytes: number
}

/** `connect`: a CONNECT that is not supported. `malformed`: the head is ambiguous or invalid. */
export type Unreadable = 'connect' | 'malformed'

const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS)
/** Bytes that a field counts in addition to its name and value. */
const FIELD_BYTES = 32

/**
 * Converts a head. `raw`: names and values, alternating, in latin1, as Node provides them. `bodyless`: true when the request
 * ends with its head.
 */
export function readHttp2Head(raw: readonly string[], bodyless: boolean): Http2Head | Unreadable {
  let method = ''
  let path = ''
  let scheme = ''
  let authority = ''
  let protocol = ''
  let cookies = ''
  let framed = bodyless
  let length = ''
  let bytes = 0
  const fields: string[] = ['host', '']
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string
    const value = raw[index + 1] as string
    bytes += name.length + value.length + FIELD_BYTES
    switch (name) {
      case ':method':
        method = value
        continue
      case ':path':
        path = value
        continue
      case ':scheme':
        scheme = value
        continue
      case ':authority':
        authority = value
        continue
      case ':protocol':
        protocol = value
        continue
      case 'cookie':
        // A cookie that was split for better compression becomes one field again (RFC 9113 section 8.2.3).
        cookies = cookies === '' ? value : `${cookies}; ${value}`
        continue
      case 'sec-websocket-key':
        if (protocol !== '') continue
        break
      default:
    }
    switch (fieldOf(name)) {
      case FIELD.host:
        if (authority === '') authority = value
        else if (value.toLowerCase() !== authority.toLowerCase()) return 'malformed'
        continue
      case FIELD.connection:
      case FIELD.upgrade:
      case FIELD.transferEncoding:
        return 'malformed'
      case FIELD.contentLength:
        framed = true
        length = value
        break
      default:
    }
    fields.push(name, value)
  }
  if (authority === '') fields.splice(0, 2)
  else fields[1] = authority
  if (cookies !== '') fields.push('cookie', cookies)
  if (scheme !== 'http' && scheme !== 'https') return method === 'CONNECT' ? 'connect' : 'malformed'
  // Only HTTP/1 has the absolute form. In HTTP/2, the authority has a field of its own.
  if (!/^(?:\/[\x21-\x7e]*|\*)$/.test(path) || !KNOWN_METHODS.has(method)) return 'malformed'
  const rest = { url: path, rawHeaders: fields, httpVersionMajor: 1, httpVersionMinor: 1, bytes }
  if (method !== 'CONNECT') {
    if (!framed) fields.push('transfer-encoding', 'chunked')
    return { kind: 'http', method, webSocketKey: '', ...rest }
  }
  if (protocol !== 'websocket') return 'connect'
  // Bytes that a backend reads as a body must not become the first bytes of the WebSocket (row U1).
  if (length !== '' && length !== '0') return 'malformed'
  const webSocketKey = randomBytes(16).toString('base64')
  fields.push('connection', 'upgrade', 'upgrade', 'websocket', 'sec-websocket-key', webSocketKey)
  return { kind: 'upgrade', method: 'GET', webSocketKey, ...rest }
}
