// Whether a request that asks for an upgrade gets one, or is served as if it had not asked, as RFC 9110 section
// 7.8 allows. `h2c` is never forwarded: it would hide the requests that follow from the proxy.

import type { IncomingMessage } from 'node:http'
import { FIELD, fieldOf } from '@vera-stack/shared/headers.ts'

/** `inFlight`: requests before it on the same connection whose answers are still due. */
export function mayUpgrade(req: IncomingMessage, inFlight: number): boolean {
  if (req.httpVersionMajor !== 1 || req.httpVersionMinor !== 1 || inFlight > 0) return false
  const raw = req.rawHeaders
  let protocols = ''
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const value = raw[index + 1] as string
    switch (fieldOf(raw[index] as string)) {
      case FIELD.upgrade:
        protocols += `,${value}`
        break
      case FIELD.transferEncoding:
        return false
      case FIELD.contentLength:
        if (value !== '0') return false
        break
      default:
    }
  }
  return protocols !== '' && !/(?:^|,)\s*(?:h2c?|tls|http)(?:\/|\s*(?:,|$))/i.test(protocols)
}
