// Why a Plugboard could not be dialled, in words for the person who runs the Telephone.

import type { IncomingMessage } from 'node:http'
import { cutText } from '@vera-stack/shared/cut-text.ts'

export interface DialErrorOptions {
  readonly status?: number
  /** `code` of the problem details: `token_expired`, `forbidden`, … */
  readonly code?: string
  /** `Retry-After`, ms. */
  readonly retryAfterMs?: number | undefined
  readonly cause?: unknown
}

const MAX_CODE = 64

/** The message may quote the far end, so it is cut. */
export class DialError extends Error {
  /** `unreachable`: no answer. `refused`: it answered, and said no. */
  readonly kind: 'unreachable' | 'refused'
  readonly status: number | undefined
  readonly code: string | undefined
  readonly retryAfterMs: number | undefined

  constructor(kind: 'unreachable' | 'refused', message: string, options: DialErrorOptions = {}) {
    super(cutText(message), options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'DialError'
    this.kind = kind
    this.status = options.status
    this.code = options.code && cutText(options.code, MAX_CODE)
    this.retryAfterMs = options.retryAfterMs
  }

  /** The credential was refused: trying again soon is of no use. */
  get unauthorized(): boolean {
    return this.status === 401 || this.status === 403
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ECONNRESET: 'the connection was reset',
  ENOTFOUND: 'the host name is unknown (DNS)',
  EAI_AGAIN: 'the host name cannot be looked up now (DNS)',
  ETIMEDOUT: 'no answer in time',
  EHOSTUNREACH: 'there is no way to this host',
  ENETUNREACH: 'there is no network',
  EPROTO: 'the far end does not speak TLS; is it http:// instead of https://?',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the far end does not speak TLS; is it http:// instead of https://?',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed; give its CA with --plugboard-ca',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is of an unknown CA; give it with --plugboard-ca',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is of an unknown CA; give it with --plugboard-ca',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is of an unknown CA; give it with --plugboard-ca',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host name',
}

/** A socket's, TLS's or WebSocket's error. */
export function dialFailure(error: Error): DialError {
  const first = error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error
  const { code } = first as NodeJS.ErrnoException
  const message = (code === undefined ? undefined : WORDS[code]) ?? first.message
  return new DialError('unreachable', message, { ...(code !== undefined && { code }), cause: error })
}

const MAX_PROBLEM_BYTES = 65_536
const MAX_RETRY_AFTER_MS = 3_600_000
/** Leaves room for the hint within a message. */
const MAX_QUOTED = 150

/** An HTTP answer instead of the upgrade. Reads its problem details (RFC 9457) as far as there are any. */
export async function refusal(response: IncomingMessage): Promise<DialError> {
  const status = response.statusCode ?? 0
  const problem = await readProblem(response)
  const code = typeof problem?.code === 'string' ? problem.code : undefined
  const words = [problem?.detail, problem?.title].find(text => typeof text === 'string')
  const said = words ?? `HTTP ${status} ${response.statusMessage ?? ''}`.trim()
  const hint = problem === undefined ? '; is this the address of a Plugboard?' : ''
  return new DialError('refused', `${cutText(said, MAX_QUOTED)}${hint}`, {
    status,
    ...(code !== undefined && { code }),
    retryAfterMs: retryAfterMs(response.headers['retry-after']),
  })
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
    // Not JSON, or cut off: the status alone has to do.
    return undefined
  }
}

/** RFC 9110 section 10.2.3: seconds or a date. Bounded, so that a slip of the server does not silence us for days. */
function retryAfterMs(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS) : undefined
}
