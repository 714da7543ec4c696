// Counts the decisions of the traffic policy for each service on this replica: one row for each counter, with its description in the
// admin API. A service without such a decision has no entry. No counter decreases, and a rename of the service keeps them.

import type { ServiceId } from './ids/row-ids.ts'

/** Why an attempt was repeated. `status`: a status of `retryStatuses`; the others: see `AttemptFailure`. */
export const RETRY_REASONS = ['refused', 'connect', 'reset', 'timeout', 'lost', 'status', 'other'] as const
export type RetryReason = (typeof RETRY_REASONS)[number]

export const DECISION_COUNTERS = {
  retryBudgetExhausted: 'Failed attempts that were not retried, because the retry budget was used up.',
  tryTimeouts: 'Attempts that ended after tryTimeoutMs.',
  breakerOpened: 'Times at which the circuit breaker opened.',
  queueWaits:
    'Waits in the queue that have ended: the request was sent, its time was over, or its client cancelled it.',
  queueWaitMs: 'Time of all these waits, ms.',
  queueFull: 'Requests that found no place in the queue.',
  queueTimeouts: 'Waits in the queue that ended because their time was over.',
  holdWaits: 'Waits for a telephone (holdMs) that have ended.',
  holdWaitMs: 'Time of all these waits, ms.',
  holdTimeouts: 'Waits for a telephone that ended because their time was over.',
} as const

export type DecisionCounts = { -readonly [Name in keyof typeof DECISION_COUNTERS]: number } & {
  /** Attempts on other lines after a failed one. */
  readonly retries: Record<RetryReason, number>
}

export class ServiceDecisions {
  readonly #services = new Map<ServiceId, DecisionCounts>()

  /** Returns the counts of a service for a change. Call it only where a decision is taken, because it looks the service up. */
  of(service: ServiceId): DecisionCounts {
    let counts = this.#services.get(service)
    if (counts === undefined) {
      counts = noDecisions()
      this.#services.set(service, counts)
    }
    return counts
  }

  /** Returns the counts of a service, which are 0 without a decision. */
  read(service: ServiceId): Readonly<DecisionCounts> {
    return this.#services.get(service) ?? noDecisions()
  }

  [Symbol.iterator](): IterableIterator<[ServiceId, Readonly<DecisionCounts>]> {
    return this.#services.entries()
  }

  /** Call when the service was deleted. */
  forget(service: ServiceId): void {
    this.#services.delete(service)
  }
}

/** Returns counts of 0. */
export function noDecisions(): DecisionCounts {
  return {
    ...zeros(Object.keys(DECISION_COUNTERS) as (keyof typeof DECISION_COUNTERS)[]),
    retries: zeros(RETRY_REASONS),
  }
}

function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map(name => [name, 0])) as Record<Name, number>
}
