// The rules of a route and its service that concern one request, in the order in which the public port checks them
// (proxy/policy/request-policy.ts). The dry run decides; this list explains.

import { IpNetworks } from '../../common/net/ip-networks.ts'
import { matchesPath } from '../../limits/matches-path.ts'
import type { DirectoryRoute } from '../../routes/directory.ts'
import type { DryRequest } from '../../routes/dry-run-types.ts'
import { rateLimitsOf } from '../../routes/options/service-policy.ts'
import { limitNeedsCredential, type RateLimit } from '../../routes/rules/limit-rules.ts'
import type { MatchRuleBody } from '../bodies/route-match.ts'

type Asked = Pick<DryRequest, 'method' | 'clientAddress' | 'scheme'> & { readonly path: string }

/** Returns the rules in their order. `now`: ms since 1970. */
export function rulesOf(route: DirectoryRoute, request: Asked, now: number): MatchRuleBody[] {
  return [
    ...accessRules(route, request),
    ...limitRules(route, request, false),
    ...transportRules(route, request),
    ...credentialRules(route),
    ...responseRules(route, request, now),
    ...limitRules(route, request, true),
    ...forwardingRules(route),
  ]
}

const rule = (
  name: string,
  effect: MatchRuleBody['effect'],
  detail: string,
  of: MatchRuleBody['of'] = 'route',
): MatchRuleBody => ({ rule: name, of, effect, detail })

function* accessRules(
  { options: { rules } }: DirectoryRoute,
  { clientAddress }: Asked,
): Generator<MatchRuleBody> {
  const { unusable = [], access } = rules ?? {}
  if (unusable.length > 0) {
    yield rule('unusable', 'rejects', `This replica cannot read options of the route: ${unusable.join('; ')}`)
  }
  if (access?.allow === undefined && access?.deny === undefined) return
  const isPermitted = permits(access.allow, access.deny, clientAddress)
  const name = access.allow === undefined ? 'access.deny' : 'access.allow'
  yield isPermitted
    ? rule(name, 'passes', `The address ${clientAddress} may use the route.`)
    : rule(name, 'rejects', `The address ${clientAddress} may not use the route.`)
}

/** Yields the limits of the route, then those of its service. `afterCredential`: those that count by a user or a claim. */
function* limitRules(
  { options, service }: DirectoryRoute,
  { method, path }: Asked,
  afterCredential: boolean,
): Generator<MatchRuleBody> {
  const lists = [
    ['route', options.rateLimits ?? []],
    ['service', rateLimitsOf(service.policy)],
  ] as const
  for (const [of, limits] of lists)
    for (const limit of limits) {
      if (limitNeedsCredential(limit) !== afterCredential || !concerns(limit, method, path)) continue
      const { name, limit: most, windowSeconds = 1, count = 'requests', enforce = true } = limit
      const what = count === 'requests' ? 'requests' : 'bytes of responses'
      const text = `${name}: ${most} ${what} in ${windowSeconds} s${enforce ? '' : '; counts, and rejects no request'}`
      yield rule('rateLimits', 'counts', text, of)
    }
}

const concerns = ({ match }: RateLimit, method: string, path: string): boolean =>
  (match?.methods?.includes(method) ?? true) && (match?.path === undefined || matchesPath(path, match.path))

function* transportRules({ options }: DirectoryRoute, { scheme, method }: Asked): Generator<MatchRuleBody> {
  if (options.allowHttp && scheme === 'http') {
    yield rule('allowHttp', 'applies', 'The route serves plain HTTP, and redirects no request to HTTPS.')
  }
  const cors = options.rules?.cors
  if (cors === undefined) return
  yield method === 'OPTIONS'
    ? rule('cors', 'applies', 'Plugboard responds to a preflight request.')
    : rule('cors', 'applies', 'The response gets the CORS fields for permitted origins.')
}

function* credentialRules({ options: { rules } }: DirectoryRoute): Generator<MatchRuleBody> {
  const { basic, jwt } = rules?.access ?? {}
  if (basic !== undefined)
    yield rule('access.basic', 'demands', 'The request needs the name and password of a user.')
  if (jwt !== undefined) yield rule('access.jwt', 'demands', `The request needs a token of ${jwt.issuer}.`)
}

function* responseRules(
  { options: { rules } }: DirectoryRoute,
  { clientAddress }: Asked,
  now: number,
): Generator<MatchRuleBody> {
  const { redirect, respond } = rules ?? {}
  if (redirect !== undefined) {
    yield rule(
      'redirect',
      'responds',
      `Plugboard redirects with ${redirect.status ?? 307} to ${redirect.to}.`,
    )
  }
  if (respond === undefined) return
  const { status = 200, except, from, until } = respond
  const isExcepted = except !== undefined && new IpNetworks(except).has(clientAddress)
  if (isExcepted)
    yield rule('respond', 'passes', `The address ${clientAddress} is an exception of the fixed response.`)
  else if (from !== undefined && now < Date.parse(from))
    yield rule('respond', 'passes', `The fixed response begins at ${from}.`)
  else if (until !== undefined && now >= Date.parse(until))
    yield rule('respond', 'passes', `The fixed response ended at ${until}.`)
  else yield rule('respond', 'responds', `Plugboard responds with ${status}.`)
}

function* forwardingRules({ options, host, service }: DirectoryRoute): Generator<MatchRuleBody> {
  const { stripMount, tenantHeader, rules } = options
  if (service.id === '') return
  if (stripMount) yield rule('stripMount', 'applies', 'The backend receives the path without the mount.')
  if (tenantHeader !== null)
    yield rule(
      'tenantHeader',
      'applies',
      `${tenantHeader} carries the part of the host in place of the * in ${host}.`,
    )
  for (const [name, direction] of [
    ['requestHeaders', 'request'],
    ['responseHeaders', 'response'],
  ] as const)
    if (rules?.[name] !== undefined)
      yield rule(name, 'applies', `Fields of the ${direction} are set or removed.`)
  if (rules?.hsts !== undefined)
    yield rule('hsts', 'applies', 'Responses over HTTPS get Strict-Transport-Security.')
  const { subsets, sticky, hashOn } = service.policy
  if (subsets.length > 0)
    yield rule(
      'subsets',
      'applies',
      `A subset takes the request: ${subsets.map(({ name }) => name).join(', ')}, or the rest.`,
      'service',
    )
  if (sticky !== null) yield rule('sticky', 'applies', 'A client stays on its telephone process.', 'service')
  if (hashOn !== null)
    yield rule('hashOn', 'applies', 'A value of the request chooses the telephone process.', 'service')
}

/** `deny` takes precedence over `allow`, as in access/address-rules.ts. */
function permits(
  allow: readonly string[] | undefined,
  deny: readonly string[] | undefined,
  address: string,
): boolean {
  if (deny !== undefined && new IpNetworks(deny).has(address)) return false
  return allow === undefined || new IpNetworks(allow).has(address)
}
