// Checks whether the target of a service is the Plugboard that the Telephone connects to, because each request would then
// come back to Plugboard without end. It recognises equal addresses only; Plugboard recognises other loops by Via.

import type { HttpTarget } from '@vera-stack/shared/net/backend-target.ts'
import { displayUrl, isLoopback, tunnelUrl } from '../tunnel/plugboard-url.ts'

/** Returns the problem of the target and the remedy; undefined when the target is another server. */
export function targetLoopProblem(
  target: HttpTarget | ((request: Request) => unknown),
  plugboards: readonly string[],
): string | undefined {
  if (typeof target === 'function' || target.kind === 'unix') return undefined
  for (const plugboard of plugboards) {
    const url = tunnelUrl(plugboard)
    const port = url.port === '' ? (url.protocol === 'wss:' ? 443 : 80) : Number(url.port)
    if (port !== target.port || !sameHost(url.hostname, target.host)) continue
    return `${target.authority} is the Plugboard ${displayUrl(url)} itself, so each request would come back to it without end; name the address of your web server`
  }
  return undefined
}

/** True for equal names and addresses, and for `localhost` beside an address of the loopback interface. */
function sameHost(one: string, other: string): boolean {
  const [a, b] = [plain(one), plain(other)]
  if (a === b) return true
  const [urlA, urlB] = [new URL(`http://${bracketed(a)}`), new URL(`http://${bracketed(b)}`)]
  return isLoopback(urlA) && isLoopback(urlB) && (isName(a) || isName(b))
}

function plain(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

function isName(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost')
}
