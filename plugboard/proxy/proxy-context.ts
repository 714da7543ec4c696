// The parts of Plugboard that every request on the public port uses, passed as one object.

import type { Logger } from '@vera-stack/shared/log.ts'
import type { ServiceDecisions } from '../common/service-decisions.ts'
import type { Limiter } from '../limits/limiter.ts'
import type { RequestMetrics } from '../metrics/request-metrics.ts'
import type { CircuitBreakers } from '../telephones/breaker/circuit-breakers.ts'
import type { LinePicker } from '../telephones/picker/line-picker.ts'
import type { WaitingRequests } from './attempts/waiting-requests.ts'
import type { RequestCapture } from './capture/request-capture.ts'
import type { ProxyCounters } from './counters.ts'
import type { Deadlines } from './deadlines.ts'
import type { Via } from './edge/via.ts'
import type { Mirrors } from './mirror/mirrors.ts'
import type { ReportContext } from './report/finished-request.ts'
import type { RefusalLog } from './report/refusal-log.ts'

/** Numbers of requests by the scheme of the client. */
export interface ActiveRequests {
  http: number
  https: number
}

/** The recovery of lines after this process was suspended or cut off (peers/suspension-recovery.ts). */
export interface LineRecovery {
  /** True when no line can be trusted before the next step. */
  readonly unverified: boolean
  /** True when a missing line may be restored soon. */
  readonly underWay: boolean
  /** Calls `task` once, when the lines may have changed and a new attempt can succeed. */
  onStep(task: () => void): void
}

export interface ProxyContext extends ReportContext {
  readonly picker: LinePicker
  readonly limiter: Limiter
  readonly deadlines: Deadlines
  /** Deadlines of bodies that are read and discarded (discard-deadline.ts). Such bodies do not count as in flight. */
  readonly discardDeadlines: Deadlines
  /** Deadlines of connections between two requests. */
  readonly idleDeadlines: Deadlines
  readonly counters: ProxyCounters
  /** The decisions of the traffic policy by service. */
  readonly decisions: ServiceDecisions
  /** Requests with a route that are in progress. */
  readonly active: ActiveRequests
  /** Counts requests and measures their parts; undefined: they are not measured. */
  readonly metrics: RequestMetrics | undefined
  /** The circuit breakers of services. */
  readonly breakers: CircuitBreakers
  /** Requests that wait for a line. */
  readonly waiting: WaitingRequests
  /** Sends copies of requests to a subset of their service. */
  readonly mirrors: Mirrors
  /** Captures requests of inspected services; undefined: there is no inspector. */
  readonly capture: RequestCapture | undefined
  /** Logs refusals of bytes that never became a request. */
  readonly refusals: RefusalLog
  readonly log: Logger
  readonly via: Via
  readonly underscoreHeaders: 'pass' | 'drop'
  /** Undefined when there are no other replicas whose lines could be restored. */
  readonly recovery?: LineRecovery | undefined
  readonly bodyIdleTimeoutMs: number
  /** The lowest accepted rate of a request body, in bytes per second over 30 s; 0: no limit. */
  readonly minBodyRateBytes: number
  /** True when each further response closes its connection. */
  draining: boolean
}
