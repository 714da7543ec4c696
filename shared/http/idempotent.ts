// Decides whether a request may be sent again when the backend may already have processed it (RFC 9110 section 9.2.2). Both
// ends of a tunnel retry requests by this rule.

/** True when the method is idempotent. `method` is the text as received, because methods are case-sensitive. */
export function isIdempotent(method: string): boolean {
  switch (method) {
    case 'GET':
    case 'HEAD':
    case 'OPTIONS':
    case 'PUT':
    case 'DELETE':
    case 'TRACE':
      return true
    default:
      return false
  }
}
