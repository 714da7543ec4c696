// The circuit breakers of all services that have one, with a log line and a count for each change.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { ServiceId } from '../../common/ids/row-ids.ts'
import { type BreakerPolicy, type BreakerState, CircuitBreaker } from './circuit-breaker.ts'

/** Services whose breakers are kept. Deleted services leave breakers behind, so the oldest ones are dropped. */
const MAX_BREAKERS = 10_000

export interface CircuitBreakersOptions {
  readonly clock: Clock
  readonly log: Logger
  /** Called when a breaker has opened. */
  readonly onOpen: () => void
}

export class CircuitBreakers {
  readonly #options: CircuitBreakersOptions
  readonly #breakers = new Map<ServiceId, CircuitBreaker>()

  constructor(options: CircuitBreakersOptions) {
    this.#options = options
  }

  /** The number of services whose breaker rejects requests now: it is open, or half-open and tests its service. */
  get openCount(): number {
    const nowMs = this.#options.clock.now()
    let count = 0
    for (const { state } of this.#breakers.values()) {
      // A breaker whose time has passed changes its state with the next request.
      if (state.kind === 'half_open' || (state.kind === 'open' && state.untilMs > nowMs)) count += 1
    }
    return count
  }

  /** Returns the breaker of a service. `name`: for the log. */
  of(id: ServiceId, name: string, policy: BreakerPolicy): CircuitBreaker {
    const known = this.#breakers.get(id)
    if (known !== undefined) {
      known.usePolicy(policy)
      return known
    }
    const [oldest] = this.#breakers.keys()
    if (oldest !== undefined && this.#breakers.size >= MAX_BREAKERS) this.#breakers.delete(oldest)
    const breaker = new CircuitBreaker(policy, state => this.#changed(name, state))
    this.#breakers.set(id, breaker)
    return breaker
  }

  #changed(service: string, state: BreakerState): void {
    const { clock, log, onOpen } = this.#options
    switch (state.kind) {
      case 'open':
        onOpen()
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
