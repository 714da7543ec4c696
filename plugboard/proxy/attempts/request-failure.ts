// The cause of a failed request: a code and a text for the access line, and a text for the client. Plugboard writes the text
// for the client itself. The text of a Telephone may contain an address, so it is only logged. The one exception is the HTTP
// rule that a response has violated.

import { backendCause } from '@vera-stack/shared/backend-causes.ts'
import { ERRORS, type ErrorCode, errorOfReason } from '@vera-stack/shared/errors.ts'
import { redact } from '@vera-stack/shared/log/redact.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'

/** The cause, as the access line shows it. */
export interface RequestFailure {
  /** A code of backend-causes.ts, a reason of the tunnel protocol, or a code of the line picker. */
  readonly cause: string | undefined
  readonly detail: string | undefined
}

export const NOT_FORWARDABLE =
  'Plugboard could not forward the response: its fields or its length are not valid HTTP.'

/** Returns the code for the client. */
export function codeOf({ reason, causeCode }: TunnelError): ErrorCode {
  const code = errorOfReason(reason)
  return code === 'no_telephone' && causeCode === 'health_check_failed' ? 'service_unhealthy' : code
}

/** True when the service has no line that takes requests now. */
export function hasNoLine(code: ErrorCode): boolean {
  return code === 'no_telephone' || code === 'service_unhealthy'
}

export function failureOfStream(code: ErrorCode, { reason, causeCode, detail }: TunnelError): RequestFailure {
  const cause = causeCode ?? (reason === code ? undefined : reason)
  return { cause, detail: detail === '' ? undefined : detail }
}

/** Returns the text for the client; undefined when the meaning of the code is used. */
export function detailForClient(error: TunnelError): string | undefined {
  const { reason, causeCode } = error
  const invalid = causeCode === undefined || causeCode === 'invalid_response'
  if (reason === 'backend_protocol_error' && invalid) return brokenRule(error)
  return backendCause(causeCode)?.meaning
}

/** Returns the detail for a response that is not valid HTTP: the violated rule, in the text of the Telephone. */
function brokenRule({ detail }: TunnelError): string | undefined {
  // Older Telephones put the reason before the rule.
  const rule = detail.replace(/^backend_protocol_error(?:: |$)/, '')
  return rule === ''
    ? undefined
    : `${ERRORS.backend_protocol_error.meaning.slice(0, -1)}: ${redact(cutText(rule))}.`
}

// Texts of the time limits of a service. Both ends log them.

export function noResponseWithin(ms: number): string {
  return `The backend sent no response head within ${seconds(ms)} (responseHeadTimeoutMs of the service).`
}

export function noResponseInTry(ms: number): string {
  return `The backend sent no response head within ${seconds(ms)} (tryTimeoutMs of the service).`
}

export function responseStoppedFor(ms: number): string {
  return `The backend sent no further byte of its response within ${seconds(ms)} (idleTimeoutMs of the service).`
}

export function uploadNotTakenWithin(ms: number): string {
  return `The backend took no further byte of the request within ${seconds(ms)} (idleTimeoutMs of the service).`
}

export function clientStoppedFor(ms: number): string {
  return `The client read no byte of the response within ${seconds(ms)} (idleTimeoutMs of the service).`
}

function seconds(ms: number): string {
  return `${ms / 1000} s`
}
