// The next step of an operator after a failed request: one step for each code, and the remedy of its cause. The page
// docs/find-out-why.md has the details.

import { backendCause } from '@vera-stack/shared/backend-causes.ts'
import type { ErrorCode } from '@vera-stack/shared/errors.ts'

const LIST_TELEPHONES = 'Run `plugboard telephone list`, and read the log of the Telephone at that time.'
const BACKEND_LOG = 'Read the log of the backend at that time.'
const CREDENTIALS = 'Check the credential of the client, and `access` of the route: `plugboard route list`.'
const TOKENS = 'Run `plugboard token list` to see the use of each token.'
const API = 'Correct the request: the response names the wrong field.'

const STEPS: Readonly<Record<ErrorCode, string>> = {
  bad_request: 'Correct the client. `plugboard/proxy/EDGE.md` has the rules for requests.',
  request_timeout: 'Check the network of the client, or raise `headTimeout` or `bodyIdleTimeout`.',
  method_not_allowed: 'Use a method of the field `Allow` in the response.',
  payload_too_large: 'Raise `maxRequestBodyBytes` of the service, if such bodies are correct.',
  uri_too_long: 'Raise `maxTarget`, if such URLs are correct.',
  expectation_failed: 'Correct the client: only `Expect: 100-continue` is supported.',
  rate_limited:
    'Raise the limit, or slow the client down. Behind a load balancer, list its address in `trustedProxies`.',
  concurrency_limited: 'List a load balancer in `trustedProxies`, or raise `clientShare`.',
  headers_too_large:
    'Raise `maxHead` or `maxHeaders`, if such fields are correct. Large cookies are the usual reason.',
  route_not_found:
    'Compare the host and the path with `plugboard route list`, and read `plugboard change list`.',
  address_denied:
    'Check `access.allow` and `access.deny` of the route. `trustedProxies` decides which address counts.',
  no_telephone: `${LIST_TELEPHONES} If there is none, start one: \`telephone http PORT --service NAME\`.`,
  service_unhealthy: 'Make the backend pass its health check: `detail` has the last result.',
  circuit_open: 'Find the failures before it: `plugboard logs --status 5xx`. The breaker closes by itself.',
  telephone_lost: `${LIST_TELEPHONES} A proxy or firewall may end idle connections.`,
  loop_detected: 'Correct the target of the Telephone: it leads back to this Plugboard.',
  backend_unreachable: 'Run `telephone check` on the machine of the Telephone.',
  backend_closed: BACKEND_LOG,
  backend_protocol_error: 'Check the port and the scheme of the target. `telephone check` tests both.',
  backend_timeout: `${BACKEND_LOG} Raise \`responseHeadTimeoutMs\` of the service, if such requests need more time.`,
  overloaded: 'Run `plugboard status`. Start more Telephones, or let requests wait (`queue` of the service).',
  over_budget: 'Find the slow readers: `plugboard status` shows the bytes held. Raise `maxHeld`.',
  issuer_unavailable: 'Check `jwksUrl` of the route. List a private network in `outboundNetworks`.',
  route_unusable: 'Upgrade this replica, or correct the route: the log of the replica has the error.',
  draining: 'Send the request again. A load balancer should check `/readyz`.',
  internal_error: 'Report the fault, with this line and the log of the replica at that time.',
  invalid_request: API,
  unauthorized: CREDENTIALS,
  token_revoked: '`plugboard change list` shows who revoked the token.',
  token_expired: 'Issue a new token: `plugboard token issue`.',
  token_tunnel_limit: TOKENS,
  token_claim_limit: TOKENS,
  token_announcement_limit: TOKENS,
  forbidden: CREDENTIALS,
  not_found: API,
  conflict: API,
  mount_conflict: API,
  idempotency_key_reused: API,
  precondition_failed: API,
  unsupported_media_type: API,
  precondition_required: API,
  upgrade_required: 'Connect with a Telephone: this path is the tunnel endpoint.',
  database_unavailable: 'Run `plugboard status`: the log has the error of Postgres.',
}

/** Returns the steps, the most specific one first. `code`: undefined for a response of the backend. */
export function nextSteps(code: string | undefined, cause: string | undefined, status: number): string[] {
  const remedy = backendCause(cause)?.remedy
  const step = code !== undefined && Object.hasOwn(STEPS, code) ? STEPS[code as ErrorCode] : undefined
  const own =
    code === undefined && status >= 500 ? `The backend sent this status itself. ${BACKEND_LOG}` : undefined
  return [remedy, step, own].filter(text => text !== undefined)
}
