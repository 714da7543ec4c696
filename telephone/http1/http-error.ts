// The one error of this folder that a backend can cause: bytes that are not HTTP/1.1 as RFC 9112 has it.
// Everything else that goes wrong with a connection is a TunnelError made in connection.ts and connector.ts.

/** A backend broke HTTP. The message says which rule, for logs; it holds no bytes of the answer. */
export class HttpError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'HttpError'
  }
}

/** Follows the name of a rule that only the strict reader applies. */
export const LENIENT_HINT = ' (backendParsing: lenient accepts it)'
