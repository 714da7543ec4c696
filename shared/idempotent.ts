// Which requests may be sent again although the backend may have seen them (RFC 9110 section 9.2.2): both ends of a
// tunnel repeat requests, by this one rule.

/** `method`: as it came; methods are case-sensitive. */
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
