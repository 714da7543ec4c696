// Adds the fields that every response of a route carries: the route's field edits and CORS fields, the state of its limits, and
// Strict-Transport-Security (RFC 6797) when the client used HTTPS. No other file adds these fields.

import type { AnswerEdits, ResponseSource } from '../../access/edits/response-edits.ts'
import { addLimitFields } from '../../limits/limit-fields.ts'
import type { Debit, TightestLimit } from '../../limits/limiter.ts'
import { addHsts } from '../policy/https-policy.ts'
import { type ResponseFields, readResponseFields } from './response-fields.ts'

/** The result of the limits for a request that they have admitted. */
export interface AdmittedByLimits {
  /** Undefined: no limit sends fields. */
  readonly tightest: TightestLimit | undefined
  /** The keys to which the bytes of the response are debited. */
  readonly debits: readonly Debit[]
}

export interface RouteResponseRules {
  /** Edits and CORS of the route; undefined for a route without them. */
  readonly edits: AnswerEdits | undefined
  /** The value of Strict-Transport-Security; empty: the field is not sent. */
  readonly hsts: string
  /** Undefined: no limit applies to the request, or the limits were not checked yet. */
  readonly limits: AdmittedByLimits | undefined
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
  { edits, hsts, limits }: RouteResponseRules,
  source: ResponseSource,
): void {
  if (limits?.tightest !== undefined) addLimitFields(fields, limits.tightest)
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
