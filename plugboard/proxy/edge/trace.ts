// The response to a TRACE request whose Max-Forwards is 0 (RFC 9110, section 9.3.8): the message as it was received, so that
// its sender sees the changes on the way. Fields that may hold a secret are left out.

import type { RouteRules } from '../../routes/options/route-options.ts'
import type { RequestHead } from './request-head.ts'

const SECRET: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization', 'cookie'])

/** Returns the content of type message/http, in latin1. `rules`: the rules of the route, which may name a field for tokens. */
export function traceText(req: RequestHead, rules: RouteRules | null): string {
  const tokenField = rules?.access?.jwt?.header?.toLowerCase()
  let text = `${req.method} ${req.url} HTTP/${req.httpVersionMajor}.${req.httpVersionMinor}\r\n`
  for (let index = 0; index + 1 < req.rawHeaders.length; index += 2) {
    const name = req.rawHeaders[index] as string
    const plain = name.toLowerCase()
    if (!SECRET.has(plain) && plain !== tokenField) text += `${name}: ${req.rawHeaders[index + 1]}\r\n`
  }
  return `${text}\r\n`
}
