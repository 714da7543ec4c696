// The circuit breaker of one service on one replica (`breaker`). While it is open, no request of the service reaches a backend.
// It does not depend on sockets; the caller passes the time of its clock.
//
//   closed ──errorPercent of the results of windowMs failed──▶ open ──openMs──▶ half_open: one request at a time
//     ▲                                                          ▲                 │ failed │ 3 requests succeeded
//     │                                                          └─────────────────┘        │
//     └─────────────────────────────────────────────────────────────────────────────────────┘

import { ResultWindow } from '../outliers/result-window.ts'

/** Requests that must succeed in a row before the breaker closes. */
const SUCCESSES_TO_CLOSE = 3
/** Time until the next attempt of a request that another trial request keeps out. */
const TRIAL_RETRY_MS = 1000

export interface BreakerPolicy {
  readonly errorPercent: number
  readonly minRequests: number
  readonly windowMs: number
  readonly openMs: number
}

export type BreakerState =
  | { readonly kind: 'closed' }
  | { readonly kind: 'open'; readonly untilMs: number }
  | { readonly kind: 'half_open'; readonly successes: number }

export type BreakerEvent =
  | { readonly kind: 'too_many_errors'; readonly openUntilMs: number }
  | { readonly kind: 'elapsed' }
  | { readonly kind: 'trial_succeeded' }
  | { readonly kind: 'trial_failed'; readonly openUntilMs: number }

/** Returns the next state. An event that does not fit the state has no effect. */
export function stepBreaker(state: BreakerState, event: BreakerEvent): BreakerState {
  switch (event.kind) {
    case 'too_many_errors':
      return state.kind === 'closed' ? { kind: 'open', untilMs: event.openUntilMs } : state
    case 'elapsed':
      return state.kind === 'open' ? { kind: 'half_open', successes: 0 } : state
    case 'trial_failed':
      return state.kind === 'half_open' ? { kind: 'open', untilMs: event.openUntilMs } : state
    case 'trial_succeeded': {
      if (state.kind !== 'half_open') return state
      const successes = state.successes + 1
      return successes >= SUCCESSES_TO_CLOSE ? { kind: 'closed' } : { kind: 'half_open', successes }
    }
    default:
      return event satisfies never
  }
}

export class CircuitBreaker {
  readonly #onChange: (state: BreakerState) => void
  #policy: BreakerPolicy
  #window: ResultWindow
  #state: BreakerState = { kind: 'closed' }
  /** The request that tests a half-open service. */
  #trial: object | undefined

  /** `onChange`: called when the kind of the state has changed. */
  constructor(policy: BreakerPolicy, onChange: (state: BreakerState) => void) {
    this.#policy = policy
    this.#window = new ResultWindow(policy.windowMs)
    this.#onChange = onChange
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Applies a changed policy. The results so far are dropped when the window has changed. */
  usePolicy(policy: BreakerPolicy): void {
    if (policy.windowMs !== this.#policy.windowMs) this.#window = new ResultWindow(policy.windowMs)
    this.#policy = policy
  }

  /**
   * Admits a request, or returns the milliseconds until the earliest next attempt. Call `report` or `release` for each admitted
   * request.
   */
  admit(request: object, nowMs: number): number | undefined {
    if (this.#state.kind === 'closed') return undefined
    if (this.#state.kind === 'open') {
      const leftMs = this.#state.untilMs - nowMs
      if (leftMs > 0) return leftMs
      this.#apply({ kind: 'elapsed' })
    }
    if (this.#trial !== undefined) return TRIAL_RETRY_MS
    this.#trial = request
    return undefined
  }

  /** Records the result of a request. Results of requests that started before the breaker opened have no effect. */
  report(request: object, failed: boolean, nowMs: number): void {
    const isTrial = this.#trial === request
    this.release(request)
    const openUntilMs = nowMs + this.#policy.openMs
    if (this.#state.kind === 'half_open') {
      if (isTrial) this.#apply(failed ? { kind: 'trial_failed', openUntilMs } : { kind: 'trial_succeeded' })
      return
    }
    if (this.#state.kind === 'open') return
    this.#window.add(failed, nowMs)
    const { total, errors } = this.#window
    const { minRequests, errorPercent } = this.#policy
    if (failed && total >= minRequests && errors * 100 >= errorPercent * total)
      this.#apply({ kind: 'too_many_errors', openUntilMs })
  }

  /** Call when a request has ended without a result, because its client has cancelled it or no telephone took it. */
  release(request: object): void {
    if (this.#trial === request) this.#trial = undefined
  }

  #apply(event: BreakerEvent): void {
    const before = this.#state
    this.#state = stepBreaker(before, event)
    if (this.#state.kind === before.kind) return
    this.#trial = undefined
    this.#window.clear()
    this.#onChange(this.#state)
  }
}
