// The circuit breakers of all services that have one, with a log line and a count for each change.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { ServiceId } from '../../common/ids/row-ids.ts'
import {
  type BreakerPolicy,
  type BreakerState,
  type BreakerStatus,
  CircuitBreaker,
} from './circuit-breaker.ts'

/** Largest number of breakers. Deleted services leave breakers behind, so the oldest ones are dropped. */
const MAX_BREAKERS = 10_000

interface ServiceBreaker {
  readonly breaker: CircuitBreaker
  /** The present name of the service, for the log. */
  name: string
}

export interface CircuitBreakersOptions {
  readonly clock: Clock
  readonly log: Logger
  /** Called when the breaker of a service has opened. */
  readonly onOpen: (service: ServiceId) => void
}

export class CircuitBreakers {
  readonly #options: CircuitBreakersOptions
  readonly #breakers = new Map<ServiceId, ServiceBreaker>()

  constructor(options: CircuitBreakersOptions) {
    this.#options = options
  }

  /** The number of services whose breaker rejects requests now: it is open, or half-open with a trial request. */
  get openCount(): number {
    const nowMs = this.#options.clock.now()
    let count = 0
    for (const { breaker } of this.#breakers.values()) if (breaker.isRejecting(nowMs)) count += 1
    return count
  }

  /** Returns the state of the breaker of a service; undefined: it had no request. */
  statusOf(id: ServiceId): BreakerStatus | undefined {
    return this.#breakers.get(id)?.breaker.status(this.#options.clock.now())
  }

  /** Returns the breakers that are not closed, by the id of the service. */
  *notClosed(): Generator<readonly [service: ServiceId, status: BreakerStatus]> {
    const nowMs = this.#options.clock.now()
    for (const [id, { breaker }] of this.#breakers) {
      if (breaker.state.kind !== 'closed') yield [id, breaker.status(nowMs)]
    }
  }

  /** Returns the breaker of a service. `name`: the name of the service, for the log. */
  of(id: ServiceId, name: string, policy: BreakerPolicy): CircuitBreaker {
    const known = this.#breakers.get(id)
    if (known !== undefined) {
      known.name = name
      known.breaker.usePolicy(policy)
      return known.breaker
    }
    const [oldest] = this.#breakers.keys()
    if (oldest !== undefined && this.#breakers.size >= MAX_BREAKERS) this.#breakers.delete(oldest)
    const breaker = new CircuitBreaker(policy, state => this.#changed(id, entry.name, state))
    const entry: ServiceBreaker = { breaker, name }
    this.#breakers.set(id, entry)
    return breaker
  }

  #changed(id: ServiceId, service: string, state: BreakerState): void {
    const { clock, log, onOpen } = this.#options
    switch (state.kind) {
      case 'open':
        onOpen(id)
        log.warn('circuit breaker open', { service, delayMs: Math.round(state.untilMs - clock.now()) })
        break
      case 'half_open':
        log.info('circuit breaker half-open', { service })
        break
      case 'closed':
        log.info('circuit breaker closed', { service })
        break
      default:
        state satisfies never
    }
  }
}
