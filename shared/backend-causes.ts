// The causes of a failed request to a backend: the codes that a Telephone reports, and that the logs of both programs
// contain. A code is part of the public interface; `npm run docs` generates the table in docs/telephone/failures.md from this one.
// The Telephone finds the cause (telephone/backend/backend-failure.ts). A Plugboard shows the meaning to the client.

export interface BackendCauseRow {
  /** One sentence for the client of the request, without an address and without a text of the backend. */
  readonly meaning: string
  /** One sentence for the operator of the Telephone. */
  readonly remedy: string
}

const row = (meaning: string, remedy: string): BackendCauseRow => ({ meaning, remedy })

const CA_REMEDY = 'Pass --tls-ca FILE, or --no-tls-verify to accept any certificate.'
const CERTIFICATE_REMEDY =
  'Renew the certificate of the backend, or pass --no-tls-verify to accept any certificate.'
const BACKEND_LOG_REMEDY = 'Read the log of the backend.'

// Written out, because the declarations of the library show this type; the compiler compares it with the table.
/** Why a request to a backend failed. */
export type BackendCauseCode =
  | 'connection_refused'
  | 'connect_timeout'
  | 'host_unreachable'
  | 'name_not_found'
  | 'dns_unavailable'
  | 'socket_missing'
  | 'permission_denied'
  | 'too_many_open_files'
  | 'connections_exhausted'
  | 'connect_failed'
  | 'tls_self_signed'
  | 'tls_unknown_issuer'
  | 'tls_wrong_name'
  | 'tls_expired'
  | 'tls_not_yet_valid'
  | 'tls_plain_port'
  | 'tls_required'
  | 'tls_failed'
  | 'connection_reset'
  | 'closed_without_response'
  | 'response_cut'
  | 'response_timeout'
  | 'invalid_response'
  | 'request_refused'
  | 'http2_required'
  | 'http2_missing'
  | 'handler_failed'
  | 'health_check_failed'

export const BACKEND_CAUSES: Readonly<Record<BackendCauseCode, BackendCauseRow>> = {
  // The Telephone has no connection to the backend.
  connection_refused: row(
    'The backend of this service refused the connection: it is not running, or it listens elsewhere.',
    'Start the backend, or correct the target.',
  ),
  connect_timeout: row(
    'The backend of this service did not accept the connection in time.',
    'Check the address of the target, and the firewalls on the path to it.',
  ),
  host_unreachable: row(
    'The host of the backend of this service cannot be reached.',
    'Check the address of the target, and the network of the Telephone.',
  ),
  name_not_found: row(
    'The host name of the backend of this service does not exist.',
    'Correct the host name in the target, or add it to DNS.',
  ),
  dns_unavailable: row(
    'The host name of the backend of this service could not be resolved.',
    'Check the DNS servers of the machine that runs the Telephone.',
  ),
  socket_missing: row(
    'The socket file of the backend of this service does not exist.',
    'Start the backend, or correct the path in the target.',
  ),
  permission_denied: row(
    'The system did not permit a connection to the backend of this service.',
    'Give the user of the Telephone access to the socket file, or allow the connection in the firewall.',
  ),
  too_many_open_files: row(
    'The system has no file descriptor left for a connection to the backend of this service.',
    'Raise the limit of open files (ulimit -n, LimitNOFILE), or lower --max-connections.',
  ),
  connections_exhausted: row(
    'All connections to the backend of this service were in use.',
    'Find out why the backend responds slowly, start more backends, or raise --max-connections.',
  ),
  connect_failed: row(
    'No connection to the backend of this service could be made.',
    'Check the target and the backend.',
  ),
  // TLS
  tls_self_signed: row('The certificate of the backend of this service is self-signed.', CA_REMEDY),
  tls_unknown_issuer: row(
    'The certificate of the backend of this service is from an unknown authority.',
    CA_REMEDY,
  ),
  tls_wrong_name: row(
    'The certificate of the backend of this service is for another host name.',
    'Use a host name of the certificate in the target, or pass --no-tls-verify to accept any certificate.',
  ),
  tls_expired: row('The certificate of the backend of this service has expired.', CERTIFICATE_REMEDY),
  tls_not_yet_valid: row(
    'The certificate of the backend of this service is not valid yet.',
    'Check the clock of the machine that runs the Telephone, and the certificate of the backend.',
  ),
  tls_plain_port: row(
    'The backend of this service did not respond with TLS.',
    'Write the target with http:// (h2c:// for HTTP/2), or correct its port.',
  ),
  tls_required: row(
    'The port of the backend of this service requires TLS.',
    'Write the target with https:// (h2:// for HTTP/2).',
  ),
  tls_failed: row('The TLS handshake with the backend of this service failed.', BACKEND_LOG_REMEDY),
  // HTTP
  connection_reset: row('The backend of this service reset the connection.', BACKEND_LOG_REMEDY),
  closed_without_response: row(
    'The backend of this service closed the connection without a response.',
    BACKEND_LOG_REMEDY,
  ),
  response_cut: row(
    'The backend of this service closed the connection in the middle of its response.',
    BACKEND_LOG_REMEDY,
  ),
  response_timeout: row('The backend of this service did not respond in time.', BACKEND_LOG_REMEDY),
  invalid_response: row(
    'The backend of this service sent a response that is not valid HTTP.',
    'Correct the port of the target, or the response of the backend. --backend-parsing lenient accepts some of these faults.',
  ),
  request_refused: row('The backend of this service refused the request.', BACKEND_LOG_REMEDY),
  http2_required: row(
    'The port of the backend of this service requires HTTP/2.',
    'Write the target with h2c://, or h2:// with TLS.',
  ),
  http2_missing: row(
    'The backend of this service did not respond with HTTP/2.',
    'Write the target with http://, or https:// with TLS.',
  ),
  handler_failed: row('The handler of this service failed.', 'Read the error of the handler.'),
  health_check_failed: row(
    'The health check of this service fails.',
    'Make the backend pass its health check, or correct the health check of the service.',
  ),
}

/** Returns the row for a code of a peer; undefined for a code of a newer version. */
export function backendCause(code: string | undefined): BackendCauseRow | undefined {
  return code !== undefined && Object.hasOwn(BACKEND_CAUSES, code)
    ? BACKEND_CAUSES[code as BackendCauseCode]
    : undefined
}
