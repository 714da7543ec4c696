// The only error of this folder that a backend can cause: bytes that break the rules of HTTP/1.1 (RFC 9112).
// All other errors of a connection are TunnelErrors that backend-failure.ts makes.

import type { BackendCauseCode } from '@vera-stack/shared/backend-causes.ts'

/** Thrown when a response breaks HTTP. The message names the rule and contains no byte of the response. */
export class HttpError extends Error {
  readonly causeCode: BackendCauseCode

  constructor(message: string, causeCode: BackendCauseCode = 'invalid_response') {
    super(message)
    this.name = 'HttpError'
    this.causeCode = causeCode
  }
}

/** Appended to the name of a rule that only the strict reader applies. */
export const LENIENT_HINT = ' (backendParsing: lenient accepts it)'
