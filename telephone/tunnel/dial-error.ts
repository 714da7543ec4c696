// The error of a failed dial to a Plugboard, for the operator of the Telephone: the failure, the remedy, and whether a
// later attempt can succeed without a change.

import type { IncomingMessage } from 'node:http'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import type { DialFailure } from '../events.ts'

export interface DialErrorOptions {
  readonly status?: number
  /** `code` of the problem details: `token_expired`, `forbidden`, … */
  readonly code?: string
  /** `Retry-After`, ms. */
  readonly retryAfterMs?: number | undefined
  readonly cause?: unknown
}

const MAX_CODE = 64
/** Longest message: a quotation of the far end and our own text. */
const MAX_MESSAGE = 300

/** The message may quote the far end, so it is cut. */
export class DialError extends Error implements DialFailure {
  /** `unreachable`: no response. `refused`: the response refuses the connection. */
  readonly kind: 'unreachable' | 'refused'
  readonly status: number | undefined
  readonly code: string | undefined
  readonly retryAfterMs: number | undefined

  constructor(kind: 'unreachable' | 'refused', message: string, options: DialErrorOptions = {}) {
    super(cutText(message, MAX_MESSAGE), options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'DialError'
    this.kind = kind
    this.status = options.status
    this.code = options.code && cutText(options.code, MAX_CODE)
    this.retryAfterMs = options.retryAfterMs
  }

  /** True when the credential was refused, so that an attempt soon after would fail too. */
  get unauthorized(): boolean {
    return this.status === 401 || this.status === 403
  }

  /** True when the cause is the token: it cannot be read, or Plugboard refuses it. */
  get concernsToken(): boolean {
    return this.unauthorized || this.code === TOKEN_UNREADABLE
  }

  /**
   * True when attempts fail until a person changes the token, the address of the Plugboard or a certificate. False for a
   * Plugboard that is down, starts, drains or is overloaded.
   */
  get permanent(): boolean {
    if (this.concernsToken) return true
    if (this.kind === 'unreachable') return PERMANENT_CODES.test(this.code ?? '')
    return this.status === undefined || (this.status < 500 && !TRANSIENT_STATUSES.has(this.status))
  }

  /** Remedy for a permanent failure whose message does not contain one. Undefined for all other failures. */
  get advice(): string | undefined {
    return this.permanent && this.code !== undefined ? ADVICE.get(this.code) : undefined
  }
}

/** `code` of a failure to read the token. The error has no status, because no Plugboard was dialled. */
export const TOKEN_UNREADABLE = 'token_unreadable'

/** Refusals with these status codes are temporary: timeouts, too early, too many requests. */
const TRANSIENT_STATUSES: ReadonlySet<number> = new Set([408, 425, 429])
const NO_TLS = 'ERR_SSL_WRONG_VERSION_NUMBER'
/**
 * Certificates that are not trusted, and bytes of another protocol. A TLS alert of the far end is not among them: a
 * Plugboard sends one while it has no certificate yet.
 */
const PERMANENT_CODES =
  /^(?:ERR_SSL_WRONG_VERSION_NUMBER|ERR_TLS_CERT_\w+|HPE_(?!INVALID_EOF_STATE|CLOSED_CONNECTION)\w+|CERT_\w+|DEPTH_ZERO_\w+|SELF_SIGNED_\w+|UNABLE_TO_\w+|INVALID_CA|HOSTNAME_MISMATCH)$/
/** Text of OpenSSL about bytes that are not TLS, in an error with another code. */
const NO_TLS_TEXT = /wrong version number|packet length too long|http request/

const ISSUE = 'Issue a new token with "plugboard token issue".'
/** A map, because the far end chooses the code. */
const ADVICE: ReadonlyMap<string, string> = new Map([
  ['token_expired', ISSUE],
  ['token_revoked', ISSUE],
  ['unauthorized', 'Use a token that this Plugboard has issued ("plugboard token issue").'],
  ['forbidden', 'Issue a token with --service or --mount ("plugboard token issue").'],
  [TOKEN_UNREADABLE, 'Set --token-file to a file with a token ("plugboard token issue" issues one).'],
])

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused: no program listens there',
  ECONNRESET: 'the connection was reset',
  ENOTFOUND: 'DNS has no such host name',
  EAI_AGAIN: 'DNS cannot look up the host name now',
  ETIMEDOUT: 'no response in time',
  EHOSTUNREACH: 'no route leads to this host',
  ENETUNREACH: 'no route leads to this network',
  HPE_INVALID_CONSTANT:
    'its response is not HTTP. If the address has HTTPS, write https:// instead of http://',
  ERR_SSL_WRONG_VERSION_NUMBER:
    'its response is not TLS. If the address has no HTTPS, write http:// instead of https://',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed; give its CA with --plugboard-ca',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is from an unknown CA; give this CA with --plugboard-ca',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is from an unknown CA; give this CA with --plugboard-ca',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'its certificate is from an unknown CA; give this CA with --plugboard-ca',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host name',
}

/** Creates the error for a failure of the socket, of TLS or of the WebSocket. */
export function dialFailure(error: Error): DialError {
  const first = error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error
  const isPlain = NO_TLS_TEXT.test(first.message)
  const code = isPlain ? NO_TLS : (first as NodeJS.ErrnoException).code
  const message = (code === undefined ? undefined : WORDS[code]) ?? first.message
  return new DialError('unreachable', message, { ...(code !== undefined && { code }), cause: error })
}

const MAX_PROBLEM_BYTES = 65_536
const MAX_RETRY_AFTER_MS = 3_600_000
/** Length of the quotation that leaves room for the hint in a message. */
const MAX_QUOTED = 150

/** Creates the error for an HTTP response that is not the upgrade. Reads its problem details (RFC 9457), if present. */
export async function refusal(response: IncomingMessage): Promise<DialError> {
  const status = response.statusCode ?? 0
  const problem = await readProblem(response)
  const code = typeof problem?.code === 'string' ? problem.code : undefined
  const words = [problem?.detail, problem?.title].find(text => typeof text === 'string')
  const isPlugboard = problem !== undefined && status !== 404
  const statusLine = `HTTP ${status} ${response.statusMessage ?? ''}`.trim()
  const quoted = isPlugboard ? (words ?? statusLine) : statusLine
  const hint = isPlugboard || status >= 500 ? '' : hintOf(status, response.headers.location)
  return new DialError('refused', `${cutText(quoted, MAX_QUOTED)}${hint}`, {
    status,
    ...(code !== undefined && { code }),
    retryAfterMs: retryAfterMs(response.headers['retry-after']),
  })
}

/** A Plugboard refuses a dial with problem details, and never with 404. */
function hintOf(status: number, location: string | undefined): string {
  if (status >= 300 && status < 400 && location !== undefined && URL.canParse(location)) {
    return `; it redirects to ${cutText(new URL(location).origin)}: use that address`
  }
  return '; this is not the public port of a Plugboard (default 4000; the admin port 4001 takes no tunnels)'
}

async function readProblem(response: IncomingMessage): Promise<Record<string, unknown> | undefined> {
  let text = ''
  try {
    for await (const chunk of response) {
      text += String(chunk)
      if (text.length > MAX_PROBLEM_BYTES) return undefined
    }
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    // The body is not JSON or is cut off. Only the status is used.
    return undefined
  }
}

/** Reads Retry-After (RFC 9110 section 10.2.3): seconds or a date. Limited, so that a wrong value does not block for days. */
function retryAfterMs(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS) : undefined
}
