// The report of one finished request. Each request that got an id is reported once, to each observer: the last error of its service, the
// access line, the metrics, the last failures and the live log. Attempts reports a request that it owns, and is the report itself, so
// that no object is made for it. local-response.ts and refusal-log.ts report the other requests.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import type { ReplicaId } from '../../common/ids/replica-id.ts'
import type { DirectoryRoute } from '../../routes/directory.ts'
import type { RequestFailure } from '../attempts/request-failure.ts'
import type { RequestFacts, RoutedRequest } from '../edge/routed-request.ts'

/** The facts about a request that its report shows. Texts are empty if it was refused before they were read. */
export type ReportedFacts = Pick<RequestFacts, 'requestId' | 'clientAddress' | 'proto' | 'host' | 'path'> &
  Partial<
    Pick<
      RoutedRequest,
      'protocol' | 'traceParent' | 'traced' | 'userAgent' | 'limitName' | 'capture' | 'replay'
    >
  >

/** A failed attempt. */
export interface AttemptFailure {
  readonly telephone: string
  /** The replica that holds the tunnel of the Telephone. */
  readonly replicaId: ReplicaId
  /** The code that a client would get for this failure, or the status of a response that was not relayed. */
  readonly code: string
  readonly failure: RequestFailure | undefined
  /** The time of the clock at which it failed. */
  readonly atMs: number
}

export interface FinishedRequest {
  readonly facts: ReportedFacts
  readonly method: string
  readonly route: DirectoryRoute | undefined
  /** The time of the clock at which the head of the request was complete. */
  readonly startedAtMs: number
  /** The status that the client got. Never 0: see CLIENT_CLOSED_REQUEST. */
  readonly status: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** The error that ended the request. Undefined after a complete response, and when the client disconnected. */
  readonly code: ErrorCode | undefined
  /** Name of the Telephone that received the last attempt; undefined without an attempt. */
  readonly telephone: string | undefined
  /** The replica that holds the tunnel of that Telephone. Undefined: it is this replica. */
  readonly peer: ReplicaId | undefined
  /** Name of the subset to which that Telephone belongs; undefined: it belongs to none. */
  readonly subsetName: string | undefined
  /** Time from the last byte of the request to the head of the response to the last attempt, ms. Undefined: no head. */
  readonly headMs: number | undefined
  /** The part of `headMs` that the backend needed, microseconds. Undefined: its Telephone did not state it. */
  readonly backendUs: number | undefined
  /** The number of streams that were opened for the request. */
  readonly attempts: number
  /** The failed attempts, in order. Undefined: no attempt has failed. */
  readonly failedAttempts: readonly AttemptFailure[] | undefined
  /** The cause of the last failure, even when a later attempt succeeded. */
  readonly failure: RequestFailure | undefined
}

/** Receives each finished request. It must copy the values that it keeps. `nowMs`: the time of the clock. */
export type RequestObserver = (finished: FinishedRequest, nowMs: number) => void

/** The part of the context of the proxy that receives reports. */
export interface ReportContext {
  /** Each one receives every finished request. */
  readonly observers: readonly RequestObserver[]
  readonly clock: Clock
}

/** `nowMs`: the time of the clock. Default: it is read. */
export function reportFinished(
  { observers, clock }: ReportContext,
  finished: FinishedRequest,
  nowMs = clock.now(),
): void {
  for (const observe of observers) observe(finished, nowMs)
}

/** Returns the values of a request that had no attempt. */
export function withoutAttempt(
  request: Pick<
    FinishedRequest,
    'facts' | 'method' | 'route' | 'startedAtMs' | 'status' | 'code' | 'bytesOut'
  > &
    Partial<Pick<FinishedRequest, 'failure'>>,
): FinishedRequest {
  return {
    bytesIn: 0,
    telephone: undefined,
    peer: undefined,
    subsetName: undefined,
    headMs: undefined,
    backendUs: undefined,
    attempts: 0,
    failedAttempts: undefined,
    failure: undefined,
    ...request,
  }
}
