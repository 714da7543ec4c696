// Parses the text of a response head: the status, the fields as received, and the framing of the body (RFC 9112 sections
// 4 to 6). Strict: a head that two readers could read differently is an error. The parser calls it with a whole head.

import { challengesConnection } from '@vera-stack/shared/http/connection-auth.ts'
import {
  equalsIgnoringCase,
  FIELD,
  fieldOf,
  listHolds,
  parseContentLength,
  relayedTrailers,
} from '@vera-stack/shared/http/headers.ts'
import type { Fields, StreamResponseHead } from '@vera-stack/shared/protocol/streams/stream.ts'
import { FIELD_LINES, isToken, TEXT, trimBlanks } from './grammar.ts'
import { BARE_LF_IN_HEAD, HttpError, LENIENT_HINT, NOT_HTTP } from './http-error.ts'

/** The framing of the body. `none`: the response has no body, even when its fields announce one. */
export type BodyFraming = 'none' | 'length' | 'chunked' | 'close'

export interface ResponseHead extends StreamResponseHead {
  /** All fields except Transfer-Encoding, which is decoded here, in order and case as received. */
  readonly fields: Fields
  readonly framing: BodyFraming
  /** Bytes of body when `framing` is `length`, else 0. */
  readonly contentLength: number
  /** True when the connection may carry another request after this response. */
  readonly keepAlive: boolean
  /** Time from `Keep-Alive: timeout=`, ms; undefined without this field. */
  readonly keepAliveMs: number | undefined
  /** True for a 401 that asks the client to authenticate the whole connection. */
  readonly challengesConnection: boolean
}

/** Properties of the request that affect the framing of its response. */
export interface RequestTraits {
  /** True for HEAD: the response has no body. */
  readonly head: boolean
  /** True when the request asked for an upgrade, so that a 101 is allowed. */
  readonly upgrade: boolean
}

const HEAD = new RegExp(`^HTTP/1\\.[01] [1-9][0-9][0-9](?: ${TEXT})?${FIELD_LINES}$`)
const TRAILERS = new RegExp(`^${FIELD_LINES}$`)
const KEEP_ALIVE = 'keep-alive'
// Offsets in a status line: `HTTP/1.1 200 OK`.
const MINOR_AT = 7
const STATUS_AT = 9
const REASON_AT = 13
const KEEP_ALIVE_TIMEOUT = /(?:^|[,\s])timeout\s*=\s*"?([0-9]{1,9})/i

/**
 * Parses a head. `text` is the head as latin1, without its empty line. Throws HttpError.
 * Source of the framing rules: RFC 9112 section 6.3.
 */
export function parseResponseHead(text: string, request: RequestTraits, maxFields: number): ResponseHead {
  if (!HEAD.test(text)) throw new HttpError(faultOf(text))
  let lineEnd = text.indexOf('\r\n')
  if (lineEnd === -1) lineEnd = text.length
  const status = Number(text.slice(STATUS_AT, STATUS_AT + 3))
  const minor = text[MINOR_AT]
  const statusText = text.slice(REASON_AT, lineEnd)

  const fields: Fields = []
  let contentLength: number | undefined
  let transferEncoding: string | undefined
  let close = false
  let keepAliveToken = false
  let keepAliveMs: number | undefined
  let challenges = false
  let left = maxFields
  while (lineEnd < text.length) {
    const start = lineEnd + 2
    lineEnd = text.indexOf('\r\n', start)
    if (lineEnd === -1) lineEnd = text.length
    const colon = text.indexOf(':', start)
    const name = text.slice(start, colon)
    if (--left < 0) throw new HttpError(`the head has more than ${maxFields} fields`)
    const value = trimBlanks(text, colon + 1, lineEnd)
    switch (fieldOf(name)) {
      case FIELD.contentLength:
        if (contentLength !== undefined) throw new HttpError('the head has more than one Content-Length')
        contentLength = parseContentLength(value)
        if (contentLength === undefined) throw new HttpError('the value of Content-Length is not a number')
        break
      case FIELD.transferEncoding:
        if (transferEncoding !== undefined)
          throw new HttpError('the head has more than one Transfer-Encoding')
        transferEncoding = value
        continue
      case FIELD.connection:
        // The usual value is compared first, because that needs no list parsing.
        if (equalsIgnoringCase(value, KEEP_ALIVE)) keepAliveToken = true
        else if (listHolds(value, 'close')) close = true
        else if (listHolds(value, KEEP_ALIVE)) keepAliveToken = true
        break
      case FIELD.hopByHop:
        if (name.length === KEEP_ALIVE.length && equalsIgnoringCase(name, KEEP_ALIVE)) {
          const seconds = KEEP_ALIVE_TIMEOUT.exec(value)?.[1]
          if (seconds !== undefined) keepAliveMs = Number(seconds) * 1000
        }
        break
      case FIELD.other:
        if (status === 401 && challengesConnection(name, value)) challenges = true
        break
    }
    fields.push(name, value)
  }

  if (transferEncoding !== undefined) {
    if (contentLength !== undefined)
      throw new HttpError('the head has both Transfer-Encoding and Content-Length')
    if (minor === '0') throw new HttpError('an HTTP/1.0 response has a Transfer-Encoding')
    if (transferEncoding.toLowerCase() !== 'chunked')
      throw new HttpError('the value of Transfer-Encoding is other than chunked')
  }
  const announcesBody = transferEncoding !== undefined || (contentLength ?? 0) > 0
  if (status < 200) checkInterim(status, minor === '1', request, announcesBody)

  const framing = framingOf(status, request, transferEncoding !== undefined, contentLength)
  const persistent = minor === '1' ? !close : keepAliveToken && !close
  return {
    status,
    statusText,
    fields,
    framing,
    contentLength: framing === 'length' ? (contentLength ?? 0) : 0,
    // A backend that announces a forbidden body may still send it later, so the connection is not used again (R6).
    keepAlive: persistent && framing !== 'close' && !(framing === 'none' && announcesBody),
    keepAliveMs,
    challengesConnection: challenges,
  }
}

function framingOf(
  status: number,
  request: RequestTraits,
  chunked: boolean,
  contentLength: number | undefined,
): BodyFraming {
  if (request.head || status < 200 || status === 204 || status === 205 || status === 304) return 'none'
  if (chunked) return 'chunked'
  return contentLength === undefined ? 'close' : 'length'
}

function checkInterim(status: number, http11: boolean, request: RequestTraits, announcesBody: boolean): void {
  if (!http11) throw new HttpError('an HTTP/1.0 backend sent an interim response (1xx)')
  if (status === 101 && !request.upgrade)
    throw new HttpError('a 101 response arrived for a request without an upgrade')
  if (status !== 101 && announcesBody) throw new HttpError('an interim response (1xx) announces a body')
}

/**
 * Parses the field lines of a trailer section, without its empty line; may be empty. Drops fields that are not allowed in
 * trailers (framing, routing, authentication: RFC 9110 section 6.5.1). Throws HttpError.
 */
export function parseTrailers(text: string, maxFields: number): Fields | undefined {
  if (text.length === 0) return undefined
  if (!TRAILERS.test(`\r\n${text}`)) throw new HttpError('a line of the trailers is not a valid field')
  const fields: Fields = []
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon)
    if (fields.length >= maxFields * 2)
      throw new HttpError(`the response has more than ${maxFields} trailers`)
    fields.push(name, trimBlanks(line, colon + 1, line.length))
  }
  return relayedTrailers(fields)
}

/** Returns the rule that a head breaks. Not on the hot path, so it may read the head again. */
function faultOf(text: string): string {
  const [statusLine = '', ...lines] = text.split('\r\n')
  if (!text.startsWith('HTTP/1.')) return NOT_HTTP
  if (/[^\r]\n/.test(text)) return BARE_LF_IN_HEAD
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the expression searches for control characters
  if (/[\0-\x08\n-\x1f\x7f]/.test(text.replaceAll('\r\n', ''))) {
    return 'the head contains a control character or a bare CR'
  }
  if (!HEAD.test(statusLine)) return NOT_HTTP
  for (const line of lines) {
    if (/^[ \t]/.test(line)) return `a field line of the head is folded${LENIENT_HINT}`
    const colon = line.indexOf(':')
    if (colon === -1) return 'a field line has no colon'
    if (/[ \t]$/.test(line.slice(0, colon))) return `a field line has a blank before the colon${LENIENT_HINT}`
    if (!isToken(line.slice(0, colon))) return 'the name of a field is not a token'
  }
  return 'the head is malformed'
}
