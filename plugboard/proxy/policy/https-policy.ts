// What the public port does because there is an HTTPS listener beside it: redirects plain requests there, and asks
// browsers to use HTTPS only (RFC 6797). Which responses carry that field is decided in route-response.ts.

import { equalsIgnoringCase, FIELD, fieldOf } from '@vera-stack/shared/headers.ts'

export interface HttpsPolicy {
  /** Plain requests are sent to this port, unless their route says `allowHttp`; undefined: they are served. */
  readonly redirectPort: number | undefined
  /** Value of Strict-Transport-Security for clients that use HTTPS; empty: none is added. */
  readonly hsts: string
}

/** `maxAgeMs` 0: no value, the field is not sent. */
export function hstsValue(maxAgeMs: number, includeSubdomains: boolean): string {
  if (maxAgeMs === 0) return ''
  return `max-age=${Math.floor(maxAgeMs / 1000)}${includeSubdomains ? '; includeSubDomains' : ''}`
}

/** `host`: normalised, without port; `path`: as received, without dot segments; `target`: as the client sent it, for its query. */
export function httpsLocation(port: number, host: string, path: string, target: string): string {
  const question = target.indexOf('?')
  const query = question === -1 ? '' : target.slice(question)
  return `https://${host}${port === 443 ? '' : `:${port}`}${path}${query}`
}

/** Adds our value, unless the response has one of its own. */
export function addHsts(fields: string[], hsts: string): void {
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] as string
    if (fieldOf(name) === FIELD.other && equalsIgnoringCase(name, 'strict-transport-security')) return
  }
  fields.push('Strict-Transport-Security', hsts)
}
