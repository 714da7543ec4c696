// Reports a response that Plugboard sent itself, without an exchange, and counts it.

import { countProblem } from '../counters.ts'
import type { ProxyContext } from '../proxy-context.ts'
import type { ProxyResponse } from '../response/local-responses.ts'
import {
  type FinishedRequest,
  type ReportedFacts,
  reportFinished,
  withoutAttempt,
} from './finished-request.ts'

/** A request that got a response of Plugboard itself. */
export type AnsweredRequest = ReportedFacts & Partial<Pick<FinishedRequest, 'route'>>

/** `startedAtMs`: the time of the clock at which the head of the request was complete. */
export function noteLocalResponse(
  context: ProxyContext,
  startedAtMs: number,
  method = '',
  request: AnsweredRequest,
  response: ProxyResponse,
): void {
  const { route } = request
  const { status, code, body } = response
  request.capture?.localResponse(response, body)
  if (code !== undefined) countProblem(context.counters, code)
  else if (route !== undefined) route.activity.servedAtMs = context.clock.now()
  reportFinished(
    context,
    withoutAttempt({ facts: request, method, route, startedAtMs, status, code, bytesOut: body.length }),
  )
}
