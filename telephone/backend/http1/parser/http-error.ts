// The only error of this folder that a backend can cause: bytes that break the rules of HTTP/1.1 (RFC 9112).
// All other errors of a connection are TunnelErrors that backend-failure.ts makes.

import type { BackendCauseCode } from '@vera-stack/shared/backend-causes.ts'

/**
 * Thrown when a response breaks HTTP. The message is a clause that states the violated rule, because both programs write it
 * after a colon: `The response breaks HTTP: the head is larger than 65536 bytes.` It contains no byte of the response.
 */
export class HttpError extends Error {
  readonly causeCode: BackendCauseCode

  constructor(message: string, causeCode: BackendCauseCode = 'invalid_response') {
    super(message)
    this.name = 'HttpError'
    this.causeCode = causeCode
  }
}

/** Appended to a rule that only the strict reader applies. */
export const LENIENT_HINT = ' (set backendParsing to lenient to accept it)'
export const NOT_HTTP = 'the response does not start with an HTTP/1 status line'
export const BARE_LF_IN_HEAD = `a line of the head ends with a bare LF${LENIENT_HINT}`
