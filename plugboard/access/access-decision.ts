// The result of the rules of a route for one request. proxy/ sends the response.

import type { ErrorCode } from '@vera-stack/shared/errors.ts'

/** The request is refused. The response is a problem. */
export interface AccessRefusal {
  readonly code: ErrorCode
  /** One line for the client, which replaces the meaning of the code. */
  readonly detail?: string | undefined
  /** Additional fields such as `WWW-Authenticate`: name, value, name, value. */
  readonly fields?: readonly string[] | undefined
  readonly retryAfterSeconds?: number | undefined
}

/** A response of the route itself: a redirect, a fixed response, or the response to a preflight. No backend is involved. */
export interface RouteResponse {
  readonly status: number
  /** Without Content-Length. */
  readonly fields: readonly string[]
  readonly body: Buffer
  /** True when the response is for a preflight. Its CORS fields then stay as they are. */
  readonly preflight?: boolean
}

export type AccessDecision = AccessRefusal | RouteResponse

export const isRefusal = (decision: object): decision is AccessRefusal => 'code' in decision
