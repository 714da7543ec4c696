// What the public port does because there is an HTTPS listener beside it: sends plain requests there, and tells
// browsers to come back by HTTPS only (RFC 6797). It decides; who serves the connection answers.

import { equalsIgnoringCase, FIELD, fieldOf } from '@vera-stack/shared/headers.ts'
import { bodylessAnswer, type LocalAnswer } from './answers.ts'

export interface HttpsPolicy {
  /** Plain requests are sent to this port, unless their route says `allowHttp`; undefined: they are served. */
  readonly redirectPort: number | undefined
  /** Value of Strict-Transport-Security in answers over HTTPS; empty: none is added. */
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

/** 308: the method and the body stay what they are. */
export function redirectToHttps(location: string, requestId: string): LocalAnswer {
  const rest = ['Content-Length', '0', 'Cache-Control', 'no-store', 'X-Request-ID', requestId]
  return bodylessAnswer(308, ['Location', location, ...rest])
}

/** Adds our value, unless the backend has said one of its own. */
export function addHsts(fields: string[], hsts: string): void {
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] as string
    if (fieldOf(name) === FIELD.other && equalsIgnoringCase(name, 'strict-transport-security')) return
  }
  fields.push('Strict-Transport-Security', hsts)
}
