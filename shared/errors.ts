// The one table of errors that a user can meet: the codes of the proxy, of the admin API and of the logs. A code is part
// of the public interface. The README's table is generated from this one (`npm run docs`).

import type { Reason } from './protocol/wire/reason.ts'
import { cutText } from './text/cut-text.ts'

export type ErrorSource = 'client' | 'tunnel' | 'backend' | 'registry' | 'database' | 'internal'
/** Whether the request may be sent again. `always`: no byte of it reached the application. */
export type Retry = 'never' | 'idempotent' | 'always'

export interface ErrorRow {
  readonly status: number
  readonly source: ErrorSource
  readonly retry: Retry
  /** Seconds until the earliest next attempt (`Retry-After`). Undefined: unknown, or a retry does not help. */
  readonly retryAfterSeconds: number | undefined
  /** One line for the client, without host names and internals. */
  readonly meaning: string
}

const row = (
  status: number,
  source: ErrorSource,
  retry: Retry,
  meaning: string,
  retryAfterSeconds?: number,
): ErrorRow => ({ status, source, retry, meaning, retryAfterSeconds })

// Written out, because the declarations of the library show this type; the compiler compares it with the table.
/** A code of the error table. */
export type ErrorCode =
  | 'bad_request'
  | 'request_timeout'
  | 'method_not_allowed'
  | 'payload_too_large'
  | 'uri_too_long'
  | 'expectation_failed'
  | 'rate_limited'
  | 'concurrency_limited'
  | 'headers_too_large'
  | 'route_not_found'
  | 'address_denied'
  | 'no_telephone'
  | 'service_unhealthy'
  | 'circuit_open'
  | 'telephone_lost'
  | 'loop_detected'
  | 'backend_unreachable'
  | 'backend_closed'
  | 'backend_protocol_error'
  | 'backend_timeout'
  | 'overloaded'
  | 'over_budget'
  | 'issuer_unavailable'
  | 'route_unusable'
  | 'draining'
  | 'internal_error'
  | 'invalid_request'
  | 'unauthorized'
  | 'token_revoked'
  | 'token_expired'
  | 'token_tunnel_limit'
  | 'token_claim_limit'
  | 'token_announcement_limit'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'mount_conflict'
  | 'precondition_failed'
  | 'idempotency_key_reused'
  | 'unsupported_media_type'
  | 'precondition_required'
  | 'upgrade_required'
  | 'database_unavailable'

export const ERRORS: Readonly<Record<ErrorCode, ErrorRow>> = {
  // The proxy
  bad_request: row(400, 'client', 'never', 'The request is malformed.'),
  request_timeout: row(408, 'client', 'never', 'The request did not arrive in time.'),
  method_not_allowed: row(405, 'client', 'never', 'This method is not allowed for this resource.'),
  payload_too_large: row(413, 'client', 'never', 'The request body is larger than this route allows.'),
  uri_too_long: row(414, 'client', 'never', 'The request target is too long.'),
  expectation_failed: row(417, 'client', 'never', 'The server supports no expectation except 100-continue.'),
  rate_limited: row(429, 'client', 'always', 'The client sends too many requests.', 1),
  concurrency_limited: row(429, 'client', 'always', 'The client has too many open requests.', 1),
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
  circuit_open: row(
    503,
    'backend',
    'always',
    'Too many requests of this service failed, so no request is sent to it for a while.',
    1,
  ),
  telephone_lost: row(502, 'tunnel', 'idempotent', 'The tunnel to the service broke during the request.'),
  loop_detected: row(
    508,
    'backend',
    'never',
    'The request has passed this server before: the service behind this route forwards it back.',
  ),
  backend_unreachable: row(
    502,
    'backend',
    'always',
    'No connection to the backend of this service could be made.',
  ),
  backend_closed: row(502, 'backend', 'idempotent', 'The backend closed the connection before its response.'),
  backend_protocol_error: row(502, 'backend', 'never', 'The backend sent a response that is not valid HTTP.'),
  backend_timeout: row(504, 'backend', 'idempotent', 'The service did not respond in time.'),
  overloaded: row(
    503,
    'internal',
    'always',
    'The server or the service is at a limit of memory, streams or connections.',
    1,
  ),
  over_budget: row(503, 'tunnel', 'idempotent', 'The server holds too many unread bytes of this service.', 1),
  issuer_unavailable: row(
    503,
    'internal',
    'always',
    "The signing keys of the token's issuer could not be fetched.",
    3,
  ),
  route_unusable: row(
    503,
    'database',
    'always',
    'The rules of this route cannot be read, so the route is closed.',
  ),
  draining: row(503, 'internal', 'always', 'The server is stopping.', 1),
  internal_error: row(500, 'internal', 'never', 'The proxy failed because of an internal error.'),
  // The admin API and the tunnel endpoint
  invalid_request: row(400, 'client', 'never', 'A field has an invalid value.'),
  unauthorized: row(401, 'client', 'never', 'The request needs a valid credential.'),
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
  forbidden: row(403, 'client', 'never', 'The credential does not permit this operation.'),
  not_found: row(404, 'client', 'never', 'The resource does not exist.'),
  conflict: row(409, 'client', 'never', 'The request contradicts an existing resource.'),
  mount_conflict: row(
    409,
    'client',
    'never',
    'The mount lies on, above or beneath the mount of another route.',
  ),
  precondition_failed: row(412, 'client', 'never', 'The resource has changed since you read it.'),
  idempotency_key_reused: row(
    422,
    'client',
    'never',
    'The Idempotency-Key was used for another request. Send another key.',
  ),
  unsupported_media_type: row(
    415,
    'client',
    'never',
    'The server does not support the media type of the request body.',
  ),
  precondition_required: row(428, 'client', 'never', 'Send If-Match with the ETag that you read.'),
  upgrade_required: row(426, 'client', 'never', 'This address accepts WebSocket connections only.'),
  database_unavailable: row(503, 'database', 'always', 'The database is unavailable.', 5),
}

/** Characters of a detail: a sentence or two, and a few quoted values. */
export const MAX_DETAIL = 1000

/**
 * An error with a code of the table. `detail` may be shown to the client that caused the error. It may quote text of the
 * client, so its length is bounded. `field` is the name of the invalid field.
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

/** Returns the error that the client gets when a stream ends with `reason` before its response head. */
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
