// Applies the rules of routes in this order: unreadable rules, address, (proxy/ checks rates and HTTPS here,) preflight,
// credential, redirect or fixed response. When a request passes, its fields are edited. Only routes with rules are checked
// here.

import { availableParallelism } from 'node:os'
import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { restAfterMount } from '@vera-stack/shared/mounts.ts'
import { FailedAttempts } from '../common/passwords/failed-attempts.ts'
import { IssuerKeys } from '../jwks/issuer-keys.ts'
import type { Load } from '../jwks/jwks.ts'
import type { OutboundNetworks } from '../routes/options/outbound-networks.ts'
import type { RouteRules } from '../routes/options/route-options.ts'
import type { VerifiedIdentity } from '../routes/rules/key-part.ts'
import { type AccessDecision, type AccessRefusal, isRefusal } from './access-decision.ts'
import { type CompileDependencies, type CompiledRules, compileRules } from './compiled-rules.ts'
import { soleValue } from './edits/field-list.ts'
import { locationOf, redirectTo } from './edits/redirect.ts'
import { AnswerEdits } from './edits/response-edits.ts'
import { CredentialCache } from './login/credential-cache.ts'
import type { CredentialDecision } from './login/credentials.ts'
import { WorkLimiter } from './login/work-limiter.ts'

export interface GuardedRequest {
  readonly rules: RouteRules
  readonly mountPath: string
  readonly method: string
  /** The fields for the backend. Edited in place. */
  readonly fields: string[]
  readonly host: string
  /** In the client's spelling, without dot segments and query. */
  readonly path: string
  /** Starts with `?`, or is empty. */
  readonly query: string
  readonly clientAddress: string
  readonly requestId: string
  /** True when `identity` is wanted. */
  readonly wantsIdentity?: boolean
  /** Set by `decide` when `wantsIdentity` is true and the request passes. Undefined: the route verifies no credential. */
  identity?: VerifiedIdentity | undefined
}

/** The parts of a request that the edits of its response use. */
type EditedRequest = Pick<GuardedRequest, 'rules' | 'fields' | 'clientAddress' | 'host' | 'requestId'>

export interface GatekeeperOptions {
  readonly clock: Clock
  readonly log: Logger
  /** The networks from which keys of issuers may be fetched. */
  readonly outbound: OutboundNetworks
  /** Replaces the request over the network. For tests. */
  readonly load?: Load | undefined
}

/** Passwords that are verified at the same time. Two leave a core for requests, and two of Node's four threads for other work. */
const VERIFICATIONS = availableParallelism() > 2 ? 2 : 1
const VERIFICATIONS_WAITING = 32
/** Wrong passwords from one address, for all user names, until it must wait: five times the number for one user. */
const ADDRESS_BURST = 100
const CACHED_USERS = 10_000
const CACHED_TOKENS = 20_000

export class Gatekeeper {
  readonly #compiled = new WeakMap<RouteRules, CompiledRules>()
  readonly #deps: CompileDependencies

  constructor(options: GatekeeperOptions) {
    const { clock, log } = options
    const broken = (err: unknown) => log.error('a credential could not be verified', { err })
    const keys = new IssuerKeys({ clock, log, networks: options.outbound, load: options.load })
    this.#deps = {
      clock,
      basic: {
        clock,
        userFailures: new FailedAttempts({ clock }),
        addressFailures: new FailedAttempts({ clock, burst: ADDRESS_BURST }),
        work: new WorkLimiter({
          maxRunning: VERIFICATIONS,
          maxWaiting: VERIFICATIONS_WAITING,
          maxPerOwner: (VERIFICATIONS + VERIFICATIONS_WAITING) / 2,
        }),
        cache: new CredentialCache(CACHED_USERS),
        broken,
      },
      bearer: { clock, cache: new CredentialCache(CACHED_TOKENS), broken },
      jwks: url => keys.of(url),
    }
  }

  /** Returns the edits for every response to the request; undefined when the route has none. */
  answerEdits({ rules, fields, ...values }: EditedRequest): AnswerEdits | undefined {
    const compiled = this.#compile(rules)
    const { responseEdits, cors, hsts } = compiled
    if (responseEdits === undefined && cors === undefined && hsts === undefined) return undefined
    const origin = cors === undefined ? undefined : (soleValue(fields, 'origin') ?? undefined)
    return new AnswerEdits(compiled, origin, values)
  }

  /** Refuses an unreadable route or a denied address. Called before the request counts for rate limits. */
  decideByAddress({ rules, clientAddress }: GuardedRequest): AccessRefusal | undefined {
    const { closed, addresses } = this.#compile(rules)
    if (closed) return { code: 'route_unusable' }
    return addresses === undefined || addresses.permit(clientAddress) ? undefined : { code: 'address_denied' }
  }

  /** Returns a local response. Edits the fields and returns undefined when the request is forwarded. A promise never rejects. */
  decide(request: GuardedRequest): AccessDecision | undefined | Promise<AccessDecision | undefined> {
    const rules = this.#compile(request.rules)
    const preflight = rules.cors?.preflight(request.method, request.fields)
    if (preflight !== undefined) return preflight
    const decision = rules.credentials?.check(request.fields, request.clientAddress)
    return decision instanceof Promise
      ? decision.then(outcome => respondOrPass(request, rules, outcome))
      : respondOrPass(request, rules, decision)
  }

  #compile(rules: RouteRules): CompiledRules {
    const known = this.#compiled.get(rules)
    if (known !== undefined) return known
    const compiled = compileRules(rules, this.#deps)
    this.#compiled.set(rules, compiled)
    return compiled
  }
}

function respondOrPass(
  request: GuardedRequest,
  rules: CompiledRules,
  decision: CredentialDecision | undefined,
): AccessDecision | undefined {
  if (decision !== undefined && isRefusal(decision)) return decision
  const { path, mountPath, query, fields, clientAddress, host, requestId } = request
  if (rules.redirect !== undefined) {
    const location = locationOf(rules.redirect, restAfterMount(path, mountPath), query)
    return redirectTo(location, rules.redirect)
  }
  const response = rules.response?.responseTo(clientAddress)
  if (response !== undefined) return response
  if (decision !== undefined && rules.credentials !== undefined) {
    if (request.wantsIdentity === true) request.identity = rules.credentials.identityOf(fields)
    rules.credentials.addIdentity(fields, decision)
  }
  rules.requestEdits?.apply(fields, { clientAddress, host, requestId })
  return undefined
}
