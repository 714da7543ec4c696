// What the rules of a route say to one request, for proxy/ to put on the wire.

import type { ErrorCode } from '@vera-stack/shared/errors.ts'

/** Refused, as a problem. */
export interface Refusal {
  readonly code: ErrorCode
  /** One line for the client, instead of the code's meaning. */
  readonly detail?: string | undefined
  /** `WWW-Authenticate` and the like: name, value, name, value. */
  readonly fields?: readonly string[] | undefined
  readonly retryAfterSeconds?: number | undefined
}

/** The response of a route that responds by itself, or to a preflight: no backend gets the request. */
export interface RouteResponse {
  readonly status: number
  /** Without Content-Length. */
  readonly fields: readonly string[]
  readonly body: Buffer
  /** True when the response is for a preflight. Its CORS fields then stay as they are. */
  readonly preflight?: boolean
}

export type Verdict = Refusal | RouteResponse

export const isRefusal = (judged: object): judged is Refusal => 'code' in judged
