// The admission of one request by the circuit breaker of its service. Attempts creates it only for a service with a breaker,
// and reports one result for the request, whatever the number of its attempts.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { ServiceId } from '../../common/ids/row-ids.ts'
import type {
  BreakerPolicy,
  BreakerRequest,
  CircuitBreaker,
} from '../../telephones/breaker/circuit-breaker.ts'
import type { ProxyContext } from '../proxy-context.ts'

/** The request that the breaker admits. */
export interface AdmittedRequest {
  readonly context: ProxyContext
  readonly serviceId: ServiceId
  /** Name of the service, for the log. */
  readonly service: string
}

export class BreakerAdmission implements BreakerRequest {
  readonly startedAtMs: number
  readonly #clock: Clock
  /** Undefined once the result is reported. */
  #breaker: CircuitBreaker | undefined
  #admitted = false

  constructor({ context, serviceId, service }: AdmittedRequest, policy: BreakerPolicy) {
    this.#clock = context.clock
    this.startedAtMs = context.clock.now()
    this.#breaker = context.breakers.of(serviceId, service, policy)
  }

  /** Returns the seconds until the earliest next attempt when the breaker is open; undefined: the request is admitted. */
  request(): number | undefined {
    if (this.#admitted) return undefined
    const waitMs = this.#breaker?.admit(this, this.#clock.now())
    this.#admitted = waitMs === undefined
    return waitMs === undefined ? undefined : Math.max(1, Math.ceil(waitMs / 1000))
  }

  /** Reports the result of the request. Later results have no effect, and a request that was not admitted has none. */
  report(failed: boolean): void {
    if (this.#admitted) this.#breaker?.report(this, failed, this.#clock.now())
    this.#breaker = undefined
  }

  /** Call when the request has ended. Without a result, the request no longer tests a half-open service. */
  release(): void {
    this.#breaker?.release(this)
    this.#breaker = undefined
  }
}
