// Decides whether Plugboard itself responds to a routed request: it is overloaded, the client exceeds a limit, uses plain
// HTTP or has no access, or the route has a response of its own. The server of the connection writes the response. The checks
// run in this order:
//
//   loop ─▶ overloaded ─▶ address ─▶ limits ─▶ HTTPS ─▶ preflight ─▶ credential
//        ─▶ redirect, fixed response ─▶ limits by user and claim ─▶ Max-Forwards ─▶ forwarded

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import type { AccessDecision } from '../../access/access-decision.ts'
import type { Gatekeeper } from '../../access/gatekeeper.ts'
import type { CompiledLimit, CompiledLimits } from '../../limits/compiled-limits.ts'
import { type LimitedRequest, type Limiter, tighterOf } from '../../limits/limiter.ts'
import type { RouteLimits } from '../../limits/route-limits.ts'
import type { RouteRules } from '../../routes/options/route-options.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'
import type { VerifiedIdentity } from '../../routes/rules/key-part.ts'
import { splitNeedsIdentity, subsetsOf } from '../../telephones/subsets/service-subsets.ts'
import { chooseSubset } from '../../telephones/subsets/subset-choice.ts'
import type { RoutedRequest } from '../edge/routed-request.ts'
import type { ProxyResponse } from '../response/local-responses.ts'
import type { AdmittedByLimits } from '../response/route-response.ts'
import { BalancingKeys, keyNeedsIdentity } from './balancing-key.ts'
import { type HttpsPolicy, httpsLocation } from './https-policy.ts'
import { limitResponse } from './limit-response.ts'
import { finalResponse, guardedRequest, redirectToHttps, responseOf } from './route-decision.ts'

/** The local response; undefined when the request is forwarded. A promise never rejects. */
export type PolicyDecision = ProxyResponse | undefined | Promise<ProxyResponse | undefined>

export interface RequestPolicyOptions {
  readonly https: HttpsPolicy | undefined
  /** Returns true while the process is short of memory. */
  readonly overloaded: () => boolean
  readonly gatekeeper: Gatekeeper
  readonly limiter: Limiter
  readonly routeLimits: RouteLimits
  readonly clock: Clock
  /** The value of `Allow`. */
  readonly allowedMethods: string
}

const MISSING_KEY = 'The request lacks a value by which this route counts requests.'

export class RequestPolicy {
  readonly #options: RequestPolicyOptions
  readonly #keys = new BalancingKeys()

  constructor(options: RequestPolicyOptions) {
    this.#options = options
  }

  /** Returns the local response, if any. `counts`: false for a dry run, which does not count for rate limits. */
  decide(request: RoutedRequest, counts = true): PolicyDecision {
    if (request.looped) return problemOf(request, 'loop_detected')
    if (this.#options.overloaded()) return problemOf(request, 'overloaded')
    const { rules } = request.route.options
    const limits = counts ? this.#options.routeLimits.of(request.route) : undefined
    const decision =
      rules === null ? this.#decideOpen(request, limits) : this.#decideByRules(request, rules, limits)
    if (decision === undefined) return this.#forward(request)
    return decision instanceof Promise ? decision.then(later => later ?? this.#forward(request)) : decision
  }

  /** Decides about a request to a route without rules. It verifies no credential. */
  #decideOpen(request: RoutedRequest, limits: CompiledLimits | undefined): ProxyResponse | undefined {
    return this.#decidePlain(request, limits) ?? this.#admit(limits, request, undefined)
  }

  #decideByRules(
    request: RoutedRequest,
    rules: RouteRules,
    limits: CompiledLimits | undefined,
  ): PolicyDecision {
    const { gatekeeper } = this.#options
    const { policy } = request.route.service
    const limitsNeedIdentity = limits !== undefined && limits.afterCredential.length > 0
    const wantsIdentity = limitsNeedIdentity || keyNeedsIdentity(policy) || splitNeedsIdentity(policy)
    if (limitsNeedIdentity || readsFields(policy)) request.receivedFields = [...request.opening.fields]
    const guarded = guardedRequest(request, rules, wantsIdentity)
    const refusal = gatekeeper.decideByAddress(guarded)
    if (refusal !== undefined) return responseOf(request, refusal)
    const plain = this.#decidePlain(request, limits)
    if (plain !== undefined) return plain
    const decided = (outcome: AccessDecision | undefined) =>
      outcome === undefined ? this.#admit(limits, request, guarded.identity) : responseOf(request, outcome)
    const outcome = gatekeeper.decide(guarded)
    return outcome instanceof Promise ? outcome.then(decided) : decided(outcome)
  }

  #decidePlain(request: RoutedRequest, limits: CompiledLimits | undefined): ProxyResponse | undefined {
    if (limits !== undefined && limits.beforeCredential.length > 0) {
      const rejected = this.#checkLimits(limits.beforeCredential, request, factsOf(request, undefined))
      if (rejected !== undefined) return rejected
    }
    const location = this.#httpsLocation(request)
    return location === undefined ? undefined : redirectToHttps(location, request)
  }

  /** Checks the limits that need the identity, and sets the subset and the key for the choice of a process. */
  #admit(
    limits: CompiledLimits | undefined,
    request: RoutedRequest,
    identity: VerifiedIdentity | undefined,
  ): ProxyResponse | undefined {
    const { policy, id } = request.route.service
    const subsets = subsetsOf(policy, id)
    const ofIdentity = limits?.afterCredential ?? []
    if (ofIdentity.length === 0 && subsets === undefined && policy.hashOn === null) return undefined
    const facts = factsOf(request, identity)
    if (ofIdentity.length > 0) {
      const rejected = this.#checkLimits(ofIdentity, request, facts)
      if (rejected !== undefined) return rejected
    }
    if (subsets !== undefined) request.subset = chooseSubset(subsets, facts, Math.random)
    request.balancingKey = this.#keys.of(policy, id, facts)
    return undefined
  }

  /** Counts the request for the limits. Returns the response when one of them rejects it. */
  #checkLimits(
    limits: readonly CompiledLimit[],
    request: RoutedRequest,
    facts: LimitedRequest,
  ): ProxyResponse | undefined {
    const { limiter, clock } = this.#options
    const decision = limiter.check(limits, facts, clock.now())
    switch (decision.kind) {
      case 'admitted':
        request.limits = bothAdmitted(request.limits, decision)
        request.limitName ??= decision.exceeded?.name
        return undefined
      case 'rejected':
        request.limitName = decision.limit.name
        return limitResponse(request, decision.limit, decision.retryAfterSeconds)
      case 'missing':
        request.limitName = decision.limit.name
        return problemOf(request, 'bad_request', MISSING_KEY)
    }
  }

  /** Completes the fields of a request to forward. Returns a response instead when Max-Forwards is 0 (row H12). */
  #forward(request: RoutedRequest): ProxyResponse | undefined {
    if (request.maxForwards === 0) return finalResponse(request, this.#options.allowedMethods)
    request.opening.fields.push('Via', request.via)
    return undefined
  }

  /** Returns the HTTPS URL to redirect to; undefined when the request is served on this port. */
  #httpsLocation({ proto, route, host, receivedPath, opening }: RoutedRequest): string | undefined {
    const redirectPort = this.#options.https?.redirectPort
    if (redirectPort === undefined || proto !== 'http' || route.options.allowHttp) return undefined
    return httpsLocation(redirectPort, host, receivedPath, opening.target)
  }
}

/** Returns the response to a rejected request. `retryAfterSeconds`: undefined for the value of the error code. */
export function problemOf(
  request: RoutedRequest,
  code: ErrorCode,
  detail?: string,
  retryAfterSeconds?: number,
): ProxyResponse {
  return responseOf(request, { code, detail, retryAfterSeconds })
}

function factsOf(
  { clientAddress, host, path, opening, receivedFields, route }: RoutedRequest,
  identity: VerifiedIdentity | undefined,
): LimitedRequest {
  const { method } = opening
  const fields = receivedFields ?? opening.fields
  return { clientAddress, host, hostPattern: route.host, path, method, fields, identity }
}

/** Returns true when the choice of a process reads fields of the request. */
function readsFields({ sticky, hashOn, subsets }: ServicePolicy): boolean {
  return sticky !== null || hashOn !== null || subsets.length > 0
}

/** Joins the results of the limits before and after the credential. */
function bothAdmitted(before: AdmittedByLimits | undefined, after: AdmittedByLimits): AdmittedByLimits {
  if (before === undefined) return after
  return {
    tightest: tighterOf(before.tightest, after.tightest),
    debits: after.debits.length === 0 ? before.debits : [...before.debits, ...after.debits],
  }
}
