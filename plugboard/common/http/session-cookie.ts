// The names of the dashboard's session cookie, and its removal from requests of the public ports. Browsers send the cookies of a
// host to all of its ports, so a backend on the public port of the same host would receive the session.

/** The name where the browser uses https. The prefix makes the browser reject the cookie without Secure (RFC 6265bis, 4.1.3). */
export const SECURE_SESSION_COOKIE = '__Host-plugboard-session'
export const SESSION_COOKIE = 'plugboard-session'

/** Returns the value of a Cookie field without session cookies; empty when it has no other cookie. */
export function withoutSessionCookies(field: string): string {
  // Nearly all requests end here.
  if (!field.includes(SESSION_COOKIE)) return field
  return field
    .split(';')
    .filter(pair => !isSessionCookie(nameOf(pair)))
    .join(';')
    .trim()
}

/** Returns the values of the cookies with this name in a Cookie field. */
export function sessionCookies(field: string, name: string): string[] {
  return field
    .split(';')
    .filter(pair => nameOf(pair) === name)
    .map(pair => pair.slice(pair.indexOf('=') + 1).trim())
}

const isSessionCookie = (name: string): boolean => name === SESSION_COOKIE || name === SECURE_SESSION_COOKIE

function nameOf(pair: string): string {
  const equals = pair.indexOf('=')
  return (equals === -1 ? pair : pair.slice(0, equals)).trim()
}
