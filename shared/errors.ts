// The one table of errors a user can meet: what the proxy answers, what the admin API answers, what logs call
// them. A code is part of the public interface; the README's table is made from this one (`npm run docs`).

import { cutText } from './cut-text.ts'
import type { Reason } from './protocol/reason.ts'

export type ErrorSource = 'client' | 'tunnel' | 'backend' | 'registry' | 'database' | 'internal'
/** May the request be sent again: `always` means that no byte of it reached the application. */
export type Retry = 'never' | 'idempotent' | 'always'

export interface ErrorRow {
  readonly status: number
  readonly source: ErrorSource
  readonly retry: Retry
  /** When to try again at the earliest (`Retry-After`), s; undefined: it depends, or never. */
  readonly retryAfterSeconds: number | undefined
  /** One line for the client; no host name, no internals. */
  readonly meaning: string
}

const row = (
  status: number,
  source: ErrorSource,
  retry: Retry,
  meaning: string,
  retryAfterSeconds?: number,
): ErrorRow => ({ status, source, retry, meaning, retryAfterSeconds })

export const ERRORS = {
  // The proxy
  bad_request: row(400, 'client', 'never', 'The request is malformed.'),
  request_timeout: row(408, 'client', 'never', 'The request did not arrive in time.'),
  method_not_allowed: row(405, 'client', 'never', 'This method is not allowed here.'),
  payload_too_large: row(413, 'client', 'never', 'The request body is larger than this route allows.'),
  uri_too_long: row(414, 'client', 'never', 'The request target is too long.'),
  expectation_failed: row(417, 'client', 'never', 'The expectation in the request cannot be met.'),
  rate_limited: row(429, 'client', 'always', 'Too many requests.', 1),
  concurrency_limited: row(429, 'client', 'always', 'Too many requests of this client are open at once.', 1),
  headers_too_large: row(431, 'client', 'never', 'The request headers are too large.'),
  route_not_found: row(404, 'client', 'never', 'No route is mounted at this host and path.'),
  address_denied: row(403, 'client', 'never', 'This address may not use this route.'),
  no_telephone: row(
    503,
    'registry',
    'always',
    'No connected Telephone takes requests for the service behind this route.',
    2,
  ),
  service_unhealthy: row(
    503,
    'backend',
    'always',
    'The service behind this route is connected, but its health check fails.',
    2,
  ),
  telephone_lost: row(502, 'tunnel', 'idempotent', 'The connection to the service was lost.'),
  loop_detected: row(
    508,
    'backend',
    'never',
    'The request has passed this server before: the service behind this route leads back to it.',
  ),
  backend_unreachable: row(
    502,
    'backend',
    'always',
    'No connection to the backend of this service could be made.',
  ),
  backend_closed: row(502, 'backend', 'idempotent', 'The backend closed the connection before its response.'),
  backend_protocol_error: row(502, 'backend', 'never', 'The backend sent a response that is not valid HTTP.'),
  backend_timeout: row(504, 'backend', 'idempotent', 'The service did not answer in time.'),
  overloaded: row(503, 'internal', 'always', 'Too much is going on right now.', 1),
  over_budget: row(503, 'tunnel', 'idempotent', 'Too much data of this service waits to be read.', 1),
  issuer_unavailable: row(503, 'internal', 'always', "The keys of the token's issuer cannot be had.", 3),
  route_unusable: row(503, 'database', 'always', 'The rules of this route cannot be read, so it is closed.'),
  draining: row(503, 'internal', 'always', 'This server is about to stop.', 1),
  internal_error: row(500, 'internal', 'never', 'Something went wrong in the proxy.'),
  // The admin API and the tunnel endpoint
  invalid_request: row(400, 'client', 'never', 'A field has a value that cannot be used.'),
  unauthorized: row(401, 'client', 'never', 'A valid credential is needed.'),
  token_revoked: row(401, 'client', 'never', 'This token has been revoked.'),
  token_expired: row(401, 'client', 'never', 'This token has expired.'),
  token_tunnel_limit: row(429, 'client', 'always', 'The token has as many tunnels as its limit allows.', 10),
  token_claim_limit: row(403, 'client', 'never', 'The token has claimed as many routes as its limit allows.'),
  token_announcement_limit: row(
    429,
    'client',
    'always',
    'The token announces, or asks for renewals, more often than its limit allows.',
    10,
  ),
  forbidden: row(403, 'client', 'never', 'The credential does not reach this far.'),
  not_found: row(404, 'client', 'never', 'There is no such thing.'),
  conflict: row(409, 'client', 'never', 'This contradicts something that exists.'),
  mount_conflict: row(409, 'client', 'never', 'The mount lies on, above or beneath that of another route.'),
  precondition_failed: row(412, 'client', 'never', 'The row has changed since you read it.'),
  unsupported_media_type: row(415, 'client', 'never', 'The body is not of a type that is understood here.'),
  precondition_required: row(428, 'client', 'never', 'Send If-Match with the ETag that you read.'),
  upgrade_required: row(426, 'client', 'never', 'This address speaks WebSocket only.'),
  database_unavailable: row(503, 'database', 'always', 'The database is unavailable.', 5),
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof ERRORS

/** Characters of a detail: a sentence or two, and a few quoted values. */
export const MAX_DETAIL = 1000

/**
 * An error with a code of the table. `detail` may be shown to the client that caused it, and may quote it, so it is cut;
 * `field` names the culprit.
 */
export class VeraError extends Error {
  readonly code: ErrorCode
  readonly field: string | undefined

  constructor(code: ErrorCode, detail?: string, options: { field?: string; cause?: unknown } = {}) {
    const text = detail === undefined ? ERRORS[code].meaning : cutText(detail, MAX_DETAIL)
    super(text, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'VeraError'
    this.code = code
    this.field = options.field && cutText(options.field)
  }

  get status(): number {
    return ERRORS[this.code].status
  }
}

/** How a stream that ended before its answer head looks to the client. */
export function errorOfReason(reason: Reason): ErrorCode {
  switch (reason) {
    case 'backend_unreachable':
    case 'backend_timeout':
    case 'backend_closed':
    case 'backend_protocol_error':
    case 'payload_too_large':
    case 'overloaded':
    case 'over_budget':
    case 'draining':
      return reason
    case 'idle_timeout':
      return 'backend_timeout'
    case 'request_unsendable':
      return 'internal_error'
    case 'client_share':
      return 'concurrency_limited'
    case 'refused':
    case 'unknown_service':
    case 'unauthorized':
      return 'no_telephone'
    default:
      return 'telephone_lost'
  }
}
