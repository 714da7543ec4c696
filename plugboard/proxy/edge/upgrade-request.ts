// Decides whether a request that asks for an upgrade gets one, or is served as if it had not asked (RFC 9110, section 7.8).
// Also checks that a backend switches only to a protocol that was asked for. `h2c`, TLS and versions of HTTP are never
// forwarded: they would hide the requests that follow from the proxy.

import type { IncomingMessage } from 'node:http'
import { FIELD, fieldOf } from '@vera-stack/shared/http/headers.ts'

const NOT_FORWARDED = /(?:^|,)\s*(?:h2c?|tls|http)(?:\/|\s*(?:,|$))/i

/** True when an Upgrade field with these protocols can be forwarded. */
export function isForwardable(protocols: string): boolean {
  return !NOT_FORWARDED.test(protocols)
}

/** True when the request may switch protocols. `inFlight`: earlier requests on the connection that still wait for a response. */
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
  return protocols !== '' && isForwardable(protocols)
}

/**
 * Returns the Upgrade value of the 101 that the client gets. Returns undefined when the backend switches to a protocol that is
 * not in `asked`, the client's Upgrade. A backend that names no protocol means the only one that was asked for.
 */
export function switchedProtocol(asked: string, switched: string): string | undefined {
  const offers = membersOf(asked)
  const chosen = membersOf(switched)
  if (chosen.length === 0) return offers.length === 1 ? asked : undefined
  return chosen.every(each => offers.includes(each)) ? switched : undefined
}

function membersOf(list: string): string[] {
  const members = list.split(',').map(each => each.trim().toLowerCase())
  return members.filter(each => each !== '')
}
