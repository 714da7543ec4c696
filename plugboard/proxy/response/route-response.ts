// Adds the fields that every response of a route carries: the route's field edits and CORS fields, and
// Strict-Transport-Security (RFC 6797) where the client used HTTPS. No other file adds these fields.

import type { AnswerEdits, ResponseSource } from '../../access/edits/response-edits.ts'
import { addHsts } from '../policy/https-policy.ts'

export interface RouteResponseRules {
  /** Edits and CORS of the route; undefined for a route without them. */
  readonly edits: AnswerEdits | undefined
  /** The value of Strict-Transport-Security; empty: the field is not sent. */
  readonly hsts: string
}

/** Adds the fields of the route to the fields of a final response, in place. */
export function addRouteFields(
  fields: string[],
  { edits, hsts }: RouteResponseRules,
  source: ResponseSource,
): void {
  edits?.apply(fields, source)
  if (hsts !== '') addHsts(fields, hsts)
}

/**
 * Returns the value of Strict-Transport-Security for one request. `proto`: the client's protocol, which a trusted proxy may
 * report. `setting`: the value for routes without a rule of their own.
 */
export function hstsFor(proto: string, edits: AnswerEdits | undefined, setting: string): string {
  return proto === 'https' ? (edits?.hsts ?? setting) : ''
}
