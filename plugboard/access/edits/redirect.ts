// Where a route that redirects leads to. What the client has sent may only ever become a part of the path and the query:
// never of the host, whatever it looks like.

import type { RedirectRules } from '../../routes/rules/respond-rules.ts'
import type { RouteResponse } from '../verdict.ts'

/** `rest`: what follows the mount in the path, empty or from its slash on; `query`: with its `?`, or empty. */
export function locationOf(rules: RedirectRules, rest: string, query: string): string {
  const { to, keepPath = true, keepQuery = true } = rules
  const question = to.indexOf('?')
  let path = question === -1 ? to : to.slice(0, question)
  const own = question === -1 ? '' : to.slice(question)
  if (keepPath && rest !== '') {
    if (path.endsWith('/')) path = path.slice(0, -1)
    path += rest
    // `//evil.test` is a host to browsers; on another host than ours it is but a path.
    if (path.startsWith('//')) path = path.replace(/^\/+/, '/')
  }
  return escaped(path + joined(own, keepQuery ? query : ''))
}

export function redirectTo(location: string, rules: RedirectRules): RouteResponse {
  const fields = ['Location', location]
  return { status: rules.status ?? 307, fields, body: Buffer.alloc(0) }
}

function joined(own: string, query: string): string {
  if (own === '' || query.length < 2) return own === '' ? query : own
  return `${own}&${query.slice(1)}`
}

/** What no URI has (RFC 3986) is percent-encoded; Node gives bytes past ASCII as one character each. */
function escaped(location: string): string {
  return location.replace(/[^\x21-\x7e]|["<>\\^`{|}]/g, character => {
    const code = character.charCodeAt(0)
    return code > 0xff
      ? encodeURIComponent(character)
      : `%${code.toString(16).toUpperCase().padStart(2, '0')}`
  })
}
