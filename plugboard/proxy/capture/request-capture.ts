// Connects the proxy with the inspector: decides whether a request is captured, and ends the capture with the report of the request.
// While a service is not inspected, a request costs one comparison.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { CaptureRules } from '@vera-stack/shared/inspect/exchange-capture.ts'
import { requestLine } from '@vera-stack/shared/inspect/request-line.ts'
import { safeAccessFields } from '@vera-stack/shared/log/safe-fields.ts'
import type { Inspector } from '../../observe/exchanges/inspector.ts'
import { isInspected } from '../../routes/rules/inspect-rules.ts'
import type { RequestHead } from '../edge/request-head.ts'
import type { RoutedRequest } from '../edge/routed-request.ts'
import { accessFieldsOf } from '../report/access-log.ts'
import { failedAttemptsOf } from '../report/failed-attempts.ts'
import { type RequestObserver, withoutAttempt } from '../report/finished-request.ts'

export interface RequestCaptureOptions {
  readonly inspector: Pick<Inspector, 'admits' | 'begin'>
  readonly replicaId: string
  readonly clock: Clock
  /** Returns a uniform random number in [0, 1). */
  readonly random?: () => number
}

type CapturedHead = Pick<RequestHead, 'method' | 'url' | 'rawHeaders'>

export class RequestCapture {
  readonly #options: RequestCaptureOptions
  readonly #random: () => number

  constructor(options: RequestCaptureOptions) {
    this.#options = options
    this.#random = options.random ?? Math.random
  }

  /** Begins the capture of a client's request, when its service is inspected and the sample includes it. */
  begin(request: RoutedRequest, head: CapturedHead): void {
    const rules = request.route.service.policy.inspect
    if (rules === null || !isInspected(rules, this.#options.clock.wallTime())) return
    if (rules.sample < 1 && this.#random() >= rules.sample) return
    if (this.#options.inspector.admits()) this.start(request, head, rules, null)
  }

  /** Begins a capture without checking rules, sample and rate. `replayOf`: the exchange that the request repeats. */
  start(request: RoutedRequest, head: CapturedHead, rules: CaptureRules, replayOf: string | null): void {
    const { inspector, replicaId, clock } = this.#options
    const { route, opening } = request
    const method = head.method ?? opening.method
    const started = { facts: request, method, route, startedAtMs: 0, status: 0, code: undefined, bytesOut: 0 }
    const line = safeAccessFields(accessFieldsOf(withoutAttempt(started), 0))
    request.capture = inspector.begin({
      serviceId: route.service.id,
      rules: { maxBodyBytes: rules.maxBodyBytes, maskJson: rules.maskJson },
      scheme: request.proto,
      method,
      target: head.url ?? opening.target,
      rawFields: head.rawHeaders,
      line: requestLine(line, clock.wallTime(), replicaId),
      replayOf,
    })
  }

  /** Ends the capture of a finished request. */
  readonly observe: RequestObserver = (finished, nowMs) => {
    const { capture } = finished.facts
    if (capture === undefined) return
    const { clock, replicaId } = this.#options
    const fields = safeAccessFields(accessFieldsOf(finished, nowMs))
    capture.finish(requestLine(fields, clock.wallTime(), replicaId), failedAttemptsOf(finished))
  }
}
