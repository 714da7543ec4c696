// Classifies the names of request fields that HTTP itself does not define (shared/http/headers.ts has the others): fields of any
// client, fields of trusted proxies, and fields that are never forwarded, misspelt names among them. Backends that make
// variables of names (CGI, WSGI, Rack, PHP) read `Content_Length` or `X.Forwarded.For` as the real field (rows H3-H5,
// H13). Hot: most names are decided by their first letter.

import { equalsIgnoringCase, plainName } from '@vera-stack/shared/http/headers.ts'

export const KIND = {
  /** Forwarded as it is. */
  plain: 0,
  accept: 1,
  /** A fact about the client. Only trusted proxies may send it. */
  client: 2,
  /** Never forwarded. */
  dropped: 3,
  traceParent: 4,
  /** Forwarded without the cookie of a dashboard session. */
  cookie: 5,
} as const

export type FieldKind = (typeof KIND)[keyof typeof KIND]

/** Fields that frame a message or end at a hop, and that have a separator to misspell. */
const MISSPELT: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'keep-alive',
  'http2-settings',
  'max-forwards',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
])

export function kindOf(name: string): FieldKind {
  switch (name.charCodeAt(0) | 0x20) {
    case 0x61: // a
      return name.length === 6 && equalsIgnoringCase(name, 'accept') ? KIND.accept : KIND.plain
    case 0x66: // f
      return name.length === 9 && equalsIgnoringCase(name, 'forwarded') ? KIND.client : KIND.plain
    case 0x70: // p. CGI hands `Proxy` to programs as HTTP_PROXY, the address of a proxy to use (httpoxy).
      if (name.length === 5 && equalsIgnoringCase(name, 'proxy')) return KIND.dropped
      return isOurs(name) || isMisspelt(name) ? KIND.dropped : KIND.plain
    case 0x78: // x
      return kindOfExtension(name)
    case 0x63: // c
      if (name.length === 6 && equalsIgnoringCase(name, 'cookie')) return KIND.cookie
      return isMisspelt(name) ? KIND.dropped : KIND.plain
    case 0x68: // h
    case 0x6b: // k
    case 0x6d: // m
      return isMisspelt(name) ? KIND.dropped : KIND.plain
    case 0x74: // t
      if (name.length === 11 && equalsIgnoringCase(name, 'traceparent')) return KIND.traceParent
      return isMisspelt(name) ? KIND.dropped : KIND.plain
    default:
      return KIND.plain
  }
}

/** True for `Plugboard-*` in any spelling. Only Plugboard sends these fields, in both directions. */
export function isOurs(name: string): boolean {
  return (
    name.length > 9 &&
    (name.charCodeAt(0) | 0x20) === 0x70 &&
    !isAlphanumeric(name.charCodeAt(9)) &&
    equalsIgnoringCase(name.slice(0, 9), 'plugboard')
  )
}

/** Classifies names that start with X: X-Forwarded-*, X-Real-IP and X-Request-ID. Gets X-Request-ID only when it is misspelt. */
function kindOfExtension(name: string): FieldKind {
  let at = 1
  while (at < name.length && !isAlphanumeric(name.charCodeAt(at))) at += 1
  const first = name.charCodeAt(at) | 0x20
  if (at === 1 || (first !== 0x66 && first !== 0x72)) return KIND.plain
  const plain = plainName(name)
  if (plain === 'x-real-ip' || plain === 'x-request-id') return KIND.dropped
  if (!/^x-forwarded(?:-|$)/.test(plain)) return KIND.plain
  return equalsIgnoringCase(name, plain) ? KIND.client : KIND.dropped
}

/** True when a name has other separators than single hyphens, and is in the list once they are written as hyphens. */
function isMisspelt(name: string): boolean {
  let afterHyphen = false
  for (let index = 0; index < name.length; index += 1) {
    const code = name.charCodeAt(index)
    if (isAlphanumeric(code)) afterHyphen = false
    else if (code === 0x2d && !afterHyphen) afterHyphen = true
    else return MISSPELT.has(plainName(name))
  }
  return false
}

function isAlphanumeric(code: number): boolean {
  const folded = code | 0x20
  return (folded >= 0x61 && folded <= 0x7a) || (code >= 0x30 && code <= 0x39)
}
