// The report of one finished request: its access line, the last error of its service, and its bytes for limits. Attempts calls it once for each
// request. Requests that Plugboard refuses before they have attempts are reported by response/local-response-log.ts.

import { ERRORS, type ErrorCode } from '@vera-stack/shared/errors.ts'
import { roundedMs } from '../access-log.ts'
import type { RoutedRequest } from '../edge/routed-request.ts'
import type { ProxyContext } from '../proxy-context.ts'
import type { RequestFailure } from './request-failure.ts'

/** The facts that the report needs. An interface, so that no object is made for each request. */
export interface FinishedRequest {
  readonly context: ProxyContext
  readonly request: RoutedRequest
  /** The value of `requestStart`. */
  readonly startedAtMs: number
  /** Name of the Telephone that received the last attempt; undefined without an attempt. */
  readonly telephone: string | undefined
  /** Name of the subset to which that Telephone belongs; undefined: it belongs to none. */
  readonly subsetName: string | undefined
  /** Time from the last byte of the request to the head of the response to the last attempt, ms. Undefined: no head. */
  readonly headMs: number | undefined
  /** The part of `headMs` that the backend needed, microseconds. Undefined: its Telephone did not state it. */
  readonly backendUs: number | undefined
  /** The cause of the last failure, even when a later attempt succeeded. */
  readonly failure: RequestFailure | undefined
}

/** Reports the request. `code`: the error that ended it; undefined after a complete response, and when the client disconnected. */
export function reportFinished(
  finished: FinishedRequest,
  status: number,
  bytesIn: number,
  bytesOut: number,
  code: ErrorCode | undefined,
): void {
  const { context, request, startedAtMs, telephone } = finished
  const failure = code === undefined ? undefined : finished.failure
  const { opening, route, host, path, requestId } = request
  if (code !== undefined) {
    context.serviceErrors.note(route.service.id, {
      code,
      message: failure?.detail ?? ERRORS[code].meaning,
      atMs: context.clock.wallTime(),
      requestId,
      telephone,
    })
  }
  if (request.limits !== undefined)
    context.limiter.debit(request.limits.debits, bytesOut, context.clock.now())
  context.access?.({
    requestId,
    method: opening.method,
    host,
    path,
    status,
    durationMs: roundedMs(context.clock.now() - startedAtMs),
    bytesIn,
    bytesOut,
    remoteAddress: request.clientAddress,
    route: route.id,
    mount: route.mount,
    service: route.service.name || undefined,
    telephoneId: telephone,
    subset: finished.subsetName,
    limit: request.limitName,
    code,
    cause: failure?.cause,
    detail: failure?.detail,
  })
}
