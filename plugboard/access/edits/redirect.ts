// The target of a redirect by a route. Text of the client can become a part of the path and the query, but never of the host.

import type { RedirectRules } from '../../routes/rules/respond-rules.ts'
import type { RouteResponse } from '../access-decision.ts'

/**
 * Returns the value of Location. `rest`: the part of the path behind the mount, which starts with `/` or is empty. `query`:
 * starts with `?` or is empty.
 */
export function locationOf(rules: RedirectRules, rest: string, query: string): string {
  const { to, keepPath = true, keepQuery = true } = rules
  const question = to.indexOf('?')
  let path = question === -1 ? to : to.slice(0, question)
  const own = question === -1 ? '' : to.slice(question)
  if (keepPath && rest !== '') {
    if (path.endsWith('/')) path = path.slice(0, -1)
    path += rest
    // Browsers would read `//evil.test` as a host.
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

/** Percent-encodes characters that a URI must not contain (RFC 3986). Node provides each byte outside ASCII as one character. */
function escaped(location: string): string {
  return location.replace(/[^\x21-\x7e]|["<>\\^`{|}]/g, character => {
    const code = character.charCodeAt(0)
    return code > 0xff
      ? encodeURIComponent(character)
      : `%${code.toString(16).toUpperCase().padStart(2, '0')}`
  })
}
