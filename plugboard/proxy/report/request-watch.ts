// Keeps the requests that failed or were slow, and sends all requests to the live log while a viewer exists. A healthy request without a
// viewer makes no object.

import { ERRORS } from '@vera-stack/shared/errors.ts'
import { requestLine } from '@vera-stack/shared/inspect/request-line.ts'
import { safeAccessFields } from '@vera-stack/shared/log/safe-fields.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import type { Observation } from '../../observe/observation.ts'
import type { LinesSnapshot } from '../../observe/requests/failed-request.ts'
import type { FailureKind } from '../../observe/requests/failure-ring.ts'
import { accessFieldsOf, CLIENT_CLOSED_REQUEST } from './access-log.ts'
import { failedAttemptsOf } from './failed-attempts.ts'
import type { FinishedRequest, RequestObserver } from './finished-request.ts'

/** A response head after this time is slow, ms. */
const SLOW_HEAD_MS = 1000
/** Characters of a path and of a text in an entry. */
const MAX_PATH = 512
const MAX_DETAIL = 300

export interface RequestWatchOptions {
  readonly replicaId: string
  readonly observation: Pick<Observation, 'failures' | 'liveLog'>
  /** Returns the lines of the service with this name. */
  readonly linesOf: (service: string) => LinesSnapshot
  /** Returns ms since 1970. */
  readonly wallTime: () => number
}

export function watchRequests(options: RequestWatchOptions): RequestObserver {
  const { replicaId, observation, linesOf, wallTime } = options
  const { failures, liveLog } = observation
  return (finished, nowMs) => {
    const kind = failureKind(finished)
    if (kind === undefined && !liveLog.watched) return
    const fields = safeAccessFields(accessFieldsOf(finished, nowMs))
    if (liveLog.watched) liveLog.publish(fields, nowMs, wallTime())
    if (kind === undefined) return
    const line = requestLine(fields, wallTime(), replicaId)
    const service = finished.route?.service.name ?? ''
    failures.add(kind, {
      request: {
        ...line,
        path: cutText(line.path, MAX_PATH),
        detail: line.detail && cutText(line.detail, MAX_DETAIL),
      },
      attempts: failedAttemptsOf(finished),
      lines: service === '' ? null : linesOf(service),
    })
  }
}

/** Returns undefined for a request that is not kept. An error status of the backend below 500 is not a failure. */
function failureKind({ status, code, failedAttempts, headMs }: FinishedRequest): FailureKind | undefined {
  if (status >= 500) return 'failed'
  if (code !== undefined) return ERRORS[code].source === 'client' ? 'refused' : 'failed'
  if (status === CLIENT_CLOSED_REQUEST) return 'refused'
  return failedAttempts !== undefined || (headMs !== undefined && headMs >= SLOW_HEAD_MS) ? 'slow' : undefined
}
