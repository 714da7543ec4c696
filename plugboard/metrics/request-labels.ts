// The bounded label values of requests, and one number for each set of them: methods, statuses, schemes and error codes. The number
// is the key of a series, so a request makes no text.

import { STATUS_CODES } from 'node:http'
import { ERRORS, type ErrorCode } from '@vera-stack/shared/errors.ts'
import { KNOWN_METHODS, OTHER_METHOD } from '@vera-stack/shared/http/known-methods.ts'

const METHODS = [...KNOWN_METHODS, OTHER_METHOD] as const
const METHOD_NUMBERS: ReadonlyMap<string, number> = new Map(METHODS.map((method, index) => [method, index]))
const OTHER_METHOD_NUMBER = METHODS.indexOf(OTHER_METHOD)

const CODES = Object.keys(ERRORS) as ErrorCode[]
/** 0 means no error. */
const CODE_NUMBERS: ReadonlyMap<ErrorCode, number> = new Map(CODES.map((code, index) => [code, index + 1]))

/** The status of the access line when the client closed the connection. It has no name in the registry of HTTP. */
const CLIENT_CLOSED = 499
const KNOWN_STATUSES: ReadonlySet<number> = new Set([...Object.keys(STATUS_CODES).map(Number), CLIENT_CLOSED])

const METHOD_FACTOR = 16
const CODE_FACTOR = 256

/** Labels of one series, in the order of `http_server_request_duration_seconds` after the service. */
export type RequestLabelValues = readonly [method: string, status: string, scheme: string, errorType: string]

/** Returns the number of a set of labels. `scheme`: other values than `https` count as `http`. */
export function requestKey(
  method: string,
  status: number,
  scheme: string,
  code: ErrorCode | undefined,
): number {
  const methodNumber = method === 'GET' ? 0 : (METHOD_NUMBERS.get(method) ?? OTHER_METHOD_NUMBER)
  const known = status === 200 ? status : boundedStatus(status)
  const schemeNumber = scheme === 'https' ? 1 : 0
  const codeNumber = code === undefined ? 0 : (CODE_NUMBERS.get(code) ?? 0)
  return ((known * METHOD_FACTOR + methodNumber) * 2 + schemeNumber) * CODE_FACTOR + codeNumber
}

/** Returns the class of the status: 0 for 1xx and 2xx, 1 for 3xx, 2 for 4xx, 3 for 5xx. */
export function classOfKey(key: number): 0 | 1 | 2 | 3 {
  const status = Math.floor(key / CODE_FACTOR / 2 / METHOD_FACTOR)
  if (status < 300) return 0
  if (status < 400) return 1
  return status < 500 ? 2 : 3
}

/** Returns the labels of a number of `requestKey`. */
export function labelsOfKey(key: number): RequestLabelValues {
  const code = key % CODE_FACTOR
  const scheme = Math.floor(key / CODE_FACTOR) % 2
  const method = Math.floor(key / CODE_FACTOR / 2) % METHOD_FACTOR
  const status = Math.floor(key / CODE_FACTOR / 2 / METHOD_FACTOR)
  return [
    METHODS[method] ?? OTHER_METHOD,
    String(status),
    scheme === 1 ? 'https' : 'http',
    CODES[code - 1] ?? '',
  ]
}

/**
 * Returns the status, or the x00 of its class when the registry does not have it, as RFC 9110 section 15 reads it. Otherwise a
 * backend could create a series for each of 900 numbers.
 */
function boundedStatus(status: number): number {
  if (KNOWN_STATUSES.has(status)) return status
  return status >= 600 ? 500 : Math.floor(status / 100) * 100
}
