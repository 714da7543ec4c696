// Adds the fields that every response of a route carries: the route's field edits and CORS fields, and
// Strict-Transport-Security (RFC 6797) where the client used HTTPS. No other file adds these fields.

import type { AnswerEdits, ResponseSource } from '../../access/edits/response-edits.ts'
import { addHsts } from '../policy/https-policy.ts'
import { type ResponseFields, readResponseFields } from './response-fields.ts'

export interface RouteResponseRules {
  /** Edits and CORS of the route; undefined for a route without them. */
  readonly edits: AnswerEdits | undefined
  /** The value of Strict-Transport-Security; empty: the field is not sent. */
  readonly hsts: string
}

/**
 * Returns the fields of the backend's final response for the client: without hop-by-hop fields, and with the fields of the
 * route. Undefined when they are not valid HTTP. `via`: the value of Via that this hop adds.
 */
export function relayedFields(
  raw: readonly string[],
  request: RouteResponseRules & { readonly requestId: string },
  via: string,
): ResponseFields | undefined {
  const response = readResponseFields(raw, request.requestId, via)
  if (response !== undefined) addRouteFields(response.fields, request, 'backend')
  return response
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
