// The one error of this folder that a backend can cause: bytes that are not HTTP/1.1 as RFC 9112 has it.
// Everything else that goes wrong with a connection is a TunnelError made in connection.ts and connector.ts.

/** A backend broke HTTP. The message says which rule, for logs; it holds no bytes of the answer. */
export class HttpError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'HttpError'
  }
}

/** Behind the name of a rule that the lenient reader does not have. */
export const LENIENT_HINT = ' (backendParsing: lenient accepts it)'
