// Checks that the mount, the service and the options of a route fit together, which the schema of one part cannot check. It runs
// before a route is written, on the complete route. Each problem has the path of the value to correct.

import { isOnOrBeneath, normalizeEscapes, parseMount } from '@vera-stack/shared/mounts.ts'
import type { RateLimit } from '../rules/limit-rules.ts'
import { type RedirectRules, respondsToSomeOnly } from '../rules/respond-rules.ts'
import type { RouteOptionsInput } from './route-options.ts'

export interface WholeRoute {
  readonly mount: string
  /** Null: the route has no service. */
  readonly service: string | null
  readonly options: Pick<
    RouteOptionsInput,
    'tenantHeader' | 'access' | 'redirect' | 'respond' | 'cors' | 'responseHeaders' | 'rateLimits'
  >
}

export interface RouteProblem {
  /** Path within the route: `['options', 'redirect', 'to']`. */
  readonly path: readonly string[]
  readonly message: string
}

export function routeProblems({ mount, service, options }: WholeRoute): RouteProblem[] {
  const problems: RouteProblem[] = []
  const { tenantHeader, access, redirect, respond, cors, responseHeaders, rateLimits = [] } = options
  const found = (path: readonly string[], message: string) => problems.push({ path, message })
  if (redirect !== undefined && respond !== undefined) {
    found(['options', 'respond'], 'cannot be used together with "redirect"')
  }
  if (service === null && redirect === undefined && respond === undefined) {
    found(['service'], 'is required, unless the route has the option "redirect" or "respond"')
  }
  if (service === null && respond !== undefined && respondsToSomeOnly(respond)) {
    const keys = 'the option "respond" has "except", "from" or "until"'
    found(['service'], `is required, because ${keys}: other requests go to the service`)
  }
  if (redirect !== undefined && leadsBack(redirect, mount)) {
    found(['options', 'redirect', 'to'], `leads back to this route (${mount}) in a loop`)
  }
  const forwarded = Object.entries(access?.jwt?.forward ?? {})
  for (const [claim] of forwarded.filter(
    ([, field]) => field.toLowerCase() === tenantHeader?.toLowerCase(),
  )) {
    found(
      ['options', 'access', 'jwt', 'forward', claim],
      'uses the field of "tenantHeader"; choose another field',
    )
  }
  if (
    access?.basic?.forwardUser?.toLowerCase() === tenantHeader?.toLowerCase() &&
    tenantHeader !== undefined
  ) {
    found(
      ['options', 'access', 'basic', 'forwardUser'],
      'uses the field of "tenantHeader"; choose another field',
    )
  }
  if (cors !== undefined && responseHeaders !== undefined) {
    for (const [key, names] of [
      ['set', Object.keys(responseHeaders.set ?? {})],
      ['add', Object.keys(responseHeaders.add ?? {})],
    ] as const) {
      for (const name of names.filter(each => /^access-control-/i.test(each))) {
        found(['options', 'responseHeaders', key, name], 'is set by the option "cors"; remove it here')
      }
    }
  }
  for (const [index, limit] of rateLimits.entries()) {
    for (const { path, message } of limitProblems(limit, mount, access)) {
      found(['options', 'rateLimits', String(index), ...path], message)
    }
  }
  return problems
}

/** Returns the problems of one limit of a route. Their paths lead from the limit to the value. */
function limitProblems(limit: RateLimit, mount: string, access: RouteOptionsInput['access']): RouteProblem[] {
  const problems: RouteProblem[] = []
  for (const [index, part] of (limit.key ?? []).entries()) {
    const path = ['key', String(index)]
    if (typeof part === 'object' && 'claim' in part && access?.jwt === undefined) {
      problems.push({ path, message: 'needs "access.jwt", because no token is verified on this route' })
    }
    if (part === 'user' && access?.jwt === undefined && access?.basic === undefined) {
      const message = 'needs "access.jwt" or "access.basic", because no user is verified on this route'
      problems.push({ path, message })
    }
  }
  const parsed = parseMount(mount)
  const { path: prefix } = limit.match ?? {}
  if (prefix !== undefined && parsed.ok && !isOnOrBeneath(prefix, parsed.value.path)) {
    const message = `is not on or under the mount path ${parsed.value.path}, so it matches no request of this route`
    problems.push({ path: ['match', 'path'], message })
  }
  return problems
}

/**
 * Returns true when the redirect certainly leads back to its route. A target with a port may be another server. A wildcard host
 * may lead to a name under it that has another route.
 */
function leadsBack({ to }: RedirectRules, mount: string): boolean {
  const parsed = parseMount(mount)
  if (!parsed.ok) return false
  const { host, path } = parsed.value
  const isBehindMount = (pathname: string) => isOnOrBeneath(normalizeEscapes(pathname), path)
  if (to.startsWith('/')) return isBehindMount(URL.parse(to, 'http://x')?.pathname ?? to)
  const url = URL.parse(to)
  return url !== null && url.hostname === host && url.port === '' && isBehindMount(url.pathname)
}
