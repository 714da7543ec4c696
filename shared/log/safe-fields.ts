// Makes the values of a log line safe before either format receives them: every string is cut to a bound, then secrets are
// replaced. An error becomes a plain object with a fixed set of keys, because foreign errors carry requests, parameters and
// URLs in keys of their own.

import { cutText } from '../text/cut-text.ts'
import { printable } from '../text/printable.ts'
import type { AccessFields, LogFields } from './fields.ts'
import { redact } from './redact.ts'

/** Characters of one field. Texts of peers are shorter (cut-text.ts); this bound holds for paths and for mistakes. */
export const MAX_FIELD_TEXT = 1024
const MAX_STACK_TEXT = 4096
const UUID_LENGTH = 36
const MAX_HOST = 300
const MAX_USER_AGENT = 300
const MAX_CAUSES = 4
const MAX_AGGREGATED = 3

/** The keys of an error that a line keeps in addition to name, message, stack and cause. */
const ERROR_KEYS = [
  'code',
  'errno',
  'syscall',
  'address',
  'port',
  'path',
  'severity',
  'detail',
  'hint',
  'schema',
  'table',
  'column',
  'constraint',
  'reason',
  'status',
  'statusCode',
  'field',
] as const

/** Returns the text, cut to the bound and without secrets. */
export function safeText(text: string, max = MAX_FIELD_TEXT): string {
  return redact(cutText(text, max))
}

/** Returns the path without secrets, in printable ASCII. */
export function safePath(path: string): string {
  return safeText(isPrintableAscii(path) ? path : escapedPath(path))
}

/** Returns a copy of the fields with every string safe. */
export function safeFields(fields: LogFields): Record<string, unknown> {
  const safe: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(fields)) {
    safe[key] = typeof value === 'string' ? safeText(value) : key === 'err' ? safeError(value, 0) : value
  }
  return safe
}

/**
 * Returns the record itself unless a text of the client or of a Telephone has to change: access lines are the hot ones. A
 * host passed validation, and a request id of 36 characters (a UUID) is too short for a secret; both are bounded only.
 */
export function safeAccessFields(record: AccessFields): AccessFields {
  const { requestId, method, host, path, detail, userAgent } = record
  const shownPath = safePath(path)
  const bounded = requestId.length <= UUID_LENGTH && method.length <= UUID_LENGTH && host.length <= MAX_HOST
  const plain = detail === undefined && userAgent === undefined
  if (bounded && shownPath === path && plain) return record
  const safe = {
    ...record,
    requestId: safeText(requestId),
    method: safeText(method, UUID_LENGTH),
    host: safeText(host, MAX_HOST),
    path: shownPath,
  }
  if (detail !== undefined) safe.detail = printable(safeText(detail))
  if (userAgent !== undefined) safe.userAgent = printable(safeText(userAgent, MAX_USER_AGENT))
  return safe
}

/** True for a text without control characters and without characters that change the direction of other text. */
function isPrintableAscii(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (code < 0x21 || code > 0x7e) return false
  }
  return true
}

/** Returns the path with its bytes outside of printable ASCII as `%xx`. Node gives each byte as one character. */
function escapedPath(path: string): string {
  return cutText(path, MAX_FIELD_TEXT).replace(/[^\x21-\x7e]/g, character => {
    const code = character.charCodeAt(0)
    return code > 0xff ? '%3f' : `%${code.toString(16).padStart(2, '0')}`
  })
}

function safeError(value: unknown, depth: number): unknown {
  if (!(value instanceof Error)) return value === undefined ? undefined : safeText(String(value))
  const error: Record<string, unknown> = {
    type: value.constructor?.name ?? value.name,
    message: safeText(value.message),
    stack: safeStack(value),
  }
  for (const key of ERROR_KEYS) {
    const own: unknown = (value as unknown as Record<string, unknown>)[key]
    if (typeof own === 'string') error[key] = safeText(own)
    else if (typeof own === 'number') error[key] = own
  }
  if (depth >= MAX_CAUSES) return error
  if (value.cause !== undefined) error.cause = safeError(value.cause, depth + 1)
  if (value instanceof AggregateError) {
    error.errors = value.errors.slice(0, MAX_AGGREGATED).map(each => safeError(each, depth + 1))
  }
  return error
}

/** Returns the stack with a short message: `stack` repeats the message, which may be long, before its frames. */
function safeStack({ name, message, stack }: Error): string | undefined {
  if (typeof stack !== 'string') return undefined
  const frames = stack.indexOf('\n    at ')
  return safeText(`${name}: ${cutText(message)}${frames === -1 ? '' : stack.slice(frames)}`, MAX_STACK_TEXT)
}
