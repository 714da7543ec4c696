// What no part of a route can see by itself: whether its mount, service and options go together. Asked before a route is
// written, with the whole of it; each problem names the place to mend.

import { isOnOrBeneath, normalizeEscapes, parseMount } from '@vera-stack/shared/mounts.ts'
import type { RouteOptionsInput } from './route-options.ts'
import type { RedirectRules } from './rules/respond-rules.ts'

export interface WholeRoute {
  readonly mount: string
  /** Null: none. */
  readonly service: string | null
  readonly options: Pick<
    RouteOptionsInput,
    'tenantHeader' | 'access' | 'redirect' | 'respond' | 'cors' | 'responseHeaders'
  >
}

export interface RouteProblem {
  /** Into the route: `['options', 'redirect', 'to']`. */
  readonly path: readonly string[]
  readonly message: string
}

export function routeProblems({ mount, service, options }: WholeRoute): RouteProblem[] {
  const problems: RouteProblem[] = []
  const { tenantHeader, access, redirect, respond, cors, responseHeaders } = options
  const found = (path: readonly string[], message: string) => problems.push({ path, message })
  if (redirect !== undefined && respond !== undefined) {
    found(['options', 'respond'], 'contradicts "redirect": a route has one of them')
  }
  if (service === null && redirect === undefined && respond === undefined) {
    found(['service'], 'is required, unless the route has the option "redirect" or "respond"')
  }
  if (redirect !== undefined && leadsBack(redirect, mount)) {
    found(['options', 'redirect', 'to'], `leads back to this route (${mount}), again and again`)
  }
  const told = Object.entries(access?.jwt?.forward ?? {})
  for (const [claim] of told.filter(([, field]) => field.toLowerCase() === tenantHeader?.toLowerCase())) {
    found(['options', 'access', 'jwt', 'forward', claim], 'is told in the field of "tenantHeader"')
  }
  if (
    access?.basic?.forwardUser?.toLowerCase() === tenantHeader?.toLowerCase() &&
    tenantHeader !== undefined
  ) {
    found(['options', 'access', 'basic', 'forwardUser'], 'is the field of "tenantHeader"')
  }
  if (cors !== undefined && responseHeaders !== undefined) {
    for (const [key, names] of [
      ['set', Object.keys(responseHeaders.set ?? {})],
      ['add', Object.keys(responseHeaders.add ?? {})],
    ] as const) {
      for (const name of names.filter(each => /^access-control-/i.test(each))) {
        found(['options', 'responseHeaders', key, name], 'is for "cors" to say')
      }
    }
  }
  return problems
}

/**
 * As far as it can be seen here: another port is another server. A wildcard host may lead to a name of its own, where
 * another route has to stand.
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
