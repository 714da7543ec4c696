// The rules of the public port when there is an HTTPS listener as well: it redirects plain HTTP requests to HTTPS, and asks
// browsers to use HTTPS only (RFC 6797). response/route-response.ts decides which responses carry that field.

import { equalsIgnoringCase, FIELD, fieldOf } from '@vera-stack/shared/http/headers.ts'

export interface HttpsPolicy {
  /** Plain HTTP requests are redirected to this port, unless their route has `allowHttp`. Undefined: they are served. */
  readonly redirectPort: number | undefined
  /** Value of Strict-Transport-Security for clients that use HTTPS; empty: no field is added. */
  readonly hsts: string
}

/** Returns the value of Strict-Transport-Security. Returns an empty string for a `maxAgeMs` of 0: the field is not sent. */
export function hstsValue(maxAgeMs: number, includeSubdomains: boolean): string {
  if (maxAgeMs === 0) return ''
  return `max-age=${Math.floor(maxAgeMs / 1000)}${includeSubdomains ? '; includeSubDomains' : ''}`
}

/**
 * Returns the URL of a request on the HTTPS port. `host`: normalised, without port. `path`: as received, without dot segments.
 * `target`: as the client sent it; the URL gets its query.
 */
export function httpsLocation(port: number, host: string, path: string, target: string): string {
  const question = target.indexOf('?')
  const query = question === -1 ? '' : target.slice(question)
  return `https://${host}${port === 443 ? '' : `:${port}`}${path}${query}`
}

/** Adds Strict-Transport-Security, unless the response already has that field. */
export function addHsts(fields: string[], hsts: string): void {
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] as string
    if (fieldOf(name) === FIELD.other && equalsIgnoringCase(name, 'strict-transport-security')) return
  }
  fields.push('Strict-Transport-Security', hsts)
}
