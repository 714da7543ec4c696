// Decides about a request to the inspector before any other code reads it. The port is on this machine, but pages of other web sites in a
// browser on this machine can send requests to it. A request must name a loopback host, because DNS rebinding leads the name of a foreign
// site here, and it must come from the page itself or from a program.

import type { IncomingHttpHeaders } from 'node:http'

const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i

/** Returns the reason of a refusal. Undefined: the request is accepted. */
export function refusalOf(headers: IncomingHttpHeaders): string | undefined {
  const { host = '', origin } = headers
  if (!LOOPBACK_HOST.test(host)) return 'This port serves only the names localhost, 127.0.0.1 and [::1].'
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    return 'Requests of other web pages are refused. Open the address itself.'
  if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`)
    return 'Requests of other web pages are refused.'
  return undefined
}
