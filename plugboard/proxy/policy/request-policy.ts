// Decides whether Plugboard itself responds to a routed request: it is overloaded, the client exceeds its rate, uses plain
// HTTP or has no access, or the route has a response of its own. The server of the connection writes the response. The checks
// run in this order:
//
//   loop ─▶ overloaded ─▶ address ─▶ rate ─▶ HTTPS ─▶ preflight
//        ─▶ credential ─▶ redirect, fixed response ─▶ Max-Forwards ─▶ forwarded

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import type { Gatekeeper } from '../../access/gatekeeper.ts'
import type { RouteRules } from '../../routes/options/route-options.ts'
import type { RoutedRequest } from '../edge/routed-request.ts'
import type { ProxyResponse } from '../response/local-responses.ts'
import { type HttpsPolicy, httpsLocation } from './https-policy.ts'
import { RequestRates } from './request-rates.ts'
import { finalResponse, guardedRequest, redirectToHttps, responseOf } from './route-decision.ts'

/** The local response; undefined when the request is forwarded. A promise never rejects. */
export type PolicyDecision = ProxyResponse | undefined | Promise<ProxyResponse | undefined>

export interface RequestPolicyOptions {
  readonly https: HttpsPolicy | undefined
  /** Returns true while the process is short of memory. */
  readonly overloaded: () => boolean
  readonly gatekeeper: Gatekeeper
  readonly clock: Clock
  /** The value of `Allow`. */
  readonly allowedMethods: string
}

export class RequestPolicy {
  readonly #options: RequestPolicyOptions
  readonly #rates = new RequestRates()

  constructor(options: RequestPolicyOptions) {
    this.#options = options
  }

  /** Returns the local response, if any. `counts`: false for a dry run, which does not count for rate limits. */
  decide(request: RoutedRequest, counts = true): PolicyDecision {
    if (request.looped) return problemOf(request, 'loop_detected')
    if (this.#options.overloaded()) return problemOf(request, 'overloaded')
    const { rules } = request.route.options
    const decision =
      rules === null ? this.#decidePlain(request, counts) : this.#decideByRules(request, rules, counts)
    if (decision === undefined) return this.#forward(request)
    return decision instanceof Promise ? decision.then(later => later ?? this.#forward(request)) : decision
  }

  #decideByRules(request: RoutedRequest, rules: RouteRules, counts: boolean): PolicyDecision {
    const { gatekeeper } = this.#options
    const guarded = guardedRequest(request, rules)
    const refusal = gatekeeper.decideByAddress(guarded)
    if (refusal !== undefined) return responseOf(request, refusal)
    const plain = this.#decidePlain(request, counts)
    if (plain !== undefined) return plain
    const outcome = gatekeeper.decide(guarded)
    if (!(outcome instanceof Promise)) return outcome && responseOf(request, outcome)
    return outcome.then(later => later && responseOf(request, later))
  }

  #decidePlain(request: RoutedRequest, counts: boolean): ProxyResponse | undefined {
    if (counts && !this.#mayAsk(request)) return problemOf(request, 'rate_limited')
    const location = this.#httpsLocation(request)
    return location === undefined ? undefined : redirectToHttps(location, request)
  }

  /** Completes the fields of a request to forward. Returns a response instead when Max-Forwards is 0 (row H12). */
  #forward(request: RoutedRequest): ProxyResponse | undefined {
    if (request.maxForwards === 0) return finalResponse(request, this.#options.allowedMethods)
    request.opening.fields.push('Via', request.via)
    return undefined
  }

  #mayAsk({ route, clientAddress }: RoutedRequest): boolean {
    const { id, policy } = route.service
    const perSecond = policy.maxRequestsPerSecond
    return perSecond === null || this.#rates.take(id, clientAddress, perSecond, this.#options.clock.now())
  }

  /** Returns the HTTPS URL to redirect to; undefined when the request is served on this port. */
  #httpsLocation({ proto, route, host, receivedPath, opening }: RoutedRequest): string | undefined {
    const redirectPort = this.#options.https?.redirectPort
    if (redirectPort === undefined || proto !== 'http' || route.options.allowHttp) return undefined
    return httpsLocation(redirectPort, host, receivedPath, opening.target)
  }
}

export function problemOf(request: RoutedRequest, code: ErrorCode, detail?: string): ProxyResponse {
  return responseOf(request, { code, detail })
}
