// The state of the traffic policy on this replica that the public port holds. replica/ports/public-ports.ts provides it.

import type { ServiceId } from '../../../common/ids/row-ids.ts'
import type { DecisionCounts } from '../../../common/service-decisions.ts'
import type { BreakerStatus } from '../../../telephones/breaker/circuit-breaker.ts'

export interface PolicyState {
  /** Undefined: the breaker of the service had no request. */
  breakerOf(service: ServiceId): BreakerStatus | undefined
  /** Returns the breakers that are not closed. */
  openBreakers(): Iterable<readonly [service: ServiceId, status: BreakerStatus]>
  /** Returns the number of requests that wait now. */
  waitingOf(service: ServiceId): { readonly queue: number; readonly hold: number }
  /** Returns the counts of decisions since the start. */
  decisionsOf(service: ServiceId): Readonly<DecisionCounts>
}
