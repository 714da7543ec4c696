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
/** Time until the next attempt of a request that is rejected because of a trial request. */
const TRIAL_RETRY_MS = 1000
/**
 * A trial request without a result prevents further ones for this time, ms. So a client that uploads slowly cannot keep the
 * breaker half-open.
 */
const TRIAL_MS = 10_000

/** A request, as far as the breaker needs it. */
export interface BreakerRequest {
  /** The time at which the request started. */
  readonly startedAtMs: number
}

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

/** The state of a breaker for an operator. */
export interface BreakerStatus {
  /** `half_open` also after the time of an open breaker: its next request is a trial. */
  readonly state: BreakerState['kind']
  /** The time at which the breaker opened, or closed again, last; undefined: it never opened. */
  readonly changedAtMs: number | undefined
  /** The time from which an open breaker admits a trial request; undefined: it is not open. */
  readonly untilMs: number | undefined
  /** The results in the window, or those at which the breaker opened. */
  readonly requests: number
  readonly errors: number
}

export class CircuitBreaker {
  readonly #onChange: (state: BreakerState) => void
  #policy: BreakerPolicy
  #window: ResultWindow
  #state: BreakerState = { kind: 'closed' }
  /** The requests that test a half-open service and have no result. One, unless a trial takes longer than `TRIAL_MS`. */
  readonly #trials = new Set<BreakerRequest>()
  /** No further trial starts before this time. */
  #trialUntilMs = Number.NEGATIVE_INFINITY
  /** The time at which the breaker closed last. */
  #closedAtMs = Number.NEGATIVE_INFINITY
  /** The time at which the breaker left the state closed, or entered it again. */
  #changedAtMs: number | undefined
  /** The results at which the breaker opened. */
  #opening = { requests: 0, errors: 0 }

  /** `onChange`: called when the kind of the state has changed. */
  constructor(policy: BreakerPolicy, onChange: (state: BreakerState) => void) {
    this.#policy = policy
    this.#window = new ResultWindow(policy.windowMs)
    this.#onChange = onChange
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Returns the state at this time. */
  status(nowMs: number): BreakerStatus {
    const { kind } = this.#state
    const changedAtMs = this.#changedAtMs
    if (kind === 'closed') {
      this.#window.advance(nowMs)
      const { total: requests, errors } = this.#window
      return { state: kind, changedAtMs, untilMs: undefined, requests, errors }
    }
    const untilMs = kind === 'open' && this.#state.untilMs > nowMs ? this.#state.untilMs : undefined
    return { state: untilMs === undefined ? 'half_open' : 'open', changedAtMs, untilMs, ...this.#opening }
  }

  /** Returns true when a request is rejected at this time. */
  isRejecting(nowMs: number): boolean {
    switch (this.#state.kind) {
      case 'closed':
        return false
      case 'open':
        return this.#state.untilMs > nowMs
      case 'half_open':
        return this.#hasTrial(nowMs)
      default:
        return this.#state satisfies never
    }
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
  admit(request: BreakerRequest, nowMs: number): number | undefined {
    if (this.#state.kind === 'closed') return undefined
    if (this.#state.kind === 'open') {
      const leftMs = this.#state.untilMs - nowMs
      if (leftMs > 0) return leftMs
      this.#apply({ kind: 'elapsed' }, nowMs)
    }
    if (this.#hasTrial(nowMs)) return TRIAL_RETRY_MS
    this.#trials.add(request)
    this.#trialUntilMs = nowMs + TRIAL_MS
    return undefined
  }

  /**
   * Records the result of a request. The result of a request that started before the breaker opened has no effect, also when
   * it arrives after the breaker has closed again: the requests of a short outage can time out long after its end.
   */
  report(request: BreakerRequest, failed: boolean, nowMs: number): void {
    const isTrial = this.#trials.delete(request)
    const openUntilMs = nowMs + this.#policy.openMs
    if (this.#state.kind === 'half_open') {
      if (isTrial)
        this.#apply(failed ? { kind: 'trial_failed', openUntilMs } : { kind: 'trial_succeeded' }, nowMs)
      return
    }
    if (this.#state.kind === 'open' || request.startedAtMs < this.#closedAtMs) return
    this.#window.add(failed, nowMs)
    const { total, errors } = this.#window
    const { minRequests, errorPercent } = this.#policy
    if (failed && total >= minRequests && errors * 100 >= errorPercent * total)
      this.#apply({ kind: 'too_many_errors', openUntilMs }, nowMs)
  }

  /** Call when a request has ended without a result, because its client has cancelled it or no telephone took it. */
  release(request: BreakerRequest): void {
    this.#trials.delete(request)
  }

  #hasTrial(nowMs: number): boolean {
    return this.#trials.size > 0 && nowMs < this.#trialUntilMs
  }

  #apply(event: BreakerEvent, nowMs: number): void {
    const before = this.#state
    this.#state = stepBreaker(before, event)
    if (this.#state.kind === before.kind) return
    if (this.#state.kind === 'closed') this.#closedAtMs = nowMs
    if (before.kind === 'closed' || this.#state.kind === 'closed') this.#changedAtMs = nowMs
    if (before.kind === 'closed')
      this.#opening = { requests: this.#window.total, errors: this.#window.errors }
    this.#trials.clear()
    this.#window.clear()
    this.#onChange(this.#state)
  }
}
