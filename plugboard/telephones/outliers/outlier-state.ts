// The states of a telephone process in passive ejection, as a pure function: it maps a state and an event to a new state and
// effects. outliers.ts detects the events and performs the effects. Each replica has its own state for each process.
//
//            a rule matches                    time is up, or the first check passes
//   serving ────────────────▶ ejected ───────────────────────────────────────────────▶ half_open
//      ▲                       │   ▲                                                       │ │ │
//      │   its check recovers  │   └──────────────────── a trial fails ────────────────────┘ │ │
//      ├───────────────────────┘                                                             │ │
//      ├──────────────────────────────── its check recovers ─────────────────────────────────┘ │
//      └──────────────────────────────── three trials succeed ─────────────────────────────────┘
//
// A check recovers when it failed during the ejection and then passes: it has detected this fault and its end. A check that
// never failed has not detected the fault, so it starts the trials early only after the first ejection.

/**
 * Why a process was ejected. `consecutive_failures`: several attempts in a row failed. `error_responses`: most responses were
 * errors. `trial_failed`: it was half-open, and an attempt failed.
 */
export type EjectionReason = 'consecutive_failures' | 'error_responses' | 'trial_failed'

interface Ejection {
  readonly reason: EjectionReason
  /** True when the backend refuses connections. Such a process cannot serve a request, so it does not count for the bound. */
  readonly refused: boolean
  /** True when the telephone's own check has failed since the ejection, or failed already. */
  readonly checkFailed: boolean
}

export type OutlierState = {
  /** Number of ejections since the process was last healthy for `HEALTHY_MS`. */
  readonly ejections: number
  /** The time at which the process entered the state. */
  readonly sinceMs: number
} & (
  | { readonly kind: 'serving' }
  | ({ readonly kind: 'ejected'; readonly untilMs: number } & Ejection)
  | ({ readonly kind: 'half_open'; readonly successes: number } & Ejection)
)

/** How long a process is ejected: `ejectMs` at first, and twice as long each further time, up to `maxEjectMs`. */
export interface EjectionTimes {
  readonly ejectMs: number
  readonly maxEjectMs: number
}

export type OutlierEvent = { readonly nowMs: number } & (
  | {
      /** A rule matches, and the bounds allow an ejection. */
      readonly kind: 'rule_matched'
      readonly reason: EjectionReason
      readonly refused: boolean
      /** True when the telephone announces that its own check fails. */
      readonly isDown: boolean
      readonly times: EjectionTimes
    }
  /** An attempt that started in this state succeeded. */
  | { readonly kind: 'succeeded' }
  | {
      /** An attempt that started in this state failed. */
      readonly kind: 'failed'
      readonly refused: boolean
      readonly isDown: boolean
      /** False when the bounds do not allow an ejection. */
      readonly mayEject: boolean
      readonly times: EjectionTimes
    }
  /** The ejection time has passed. */
  | { readonly kind: 'elapsed' }
  /** The telephone's own check failed, or passed. */
  | { readonly kind: 'check_failed' }
  | { readonly kind: 'check_passed' }
  /** The service's policy no longer ejects processes. */
  | { readonly kind: 'disabled' }
)

export type OutlierEffect =
  /** Sends the event `elapsed` after this time. */
  | { readonly kind: 'wake'; readonly afterMs: number }
  /** Asks the telephone to run its own check now. */
  | { readonly kind: 'probe' }
  /** Starts the process with a small share of the requests (`slowStartMs`). */
  | { readonly kind: 'slow_start' }

export interface OutlierStep {
  readonly state: OutlierState
  readonly effects: readonly OutlierEffect[]
}

/** After this time without an ejection, the ejection time starts at `ejectMs` again. */
export const HEALTHY_MS = 600_000
/** Trials that have to succeed, one after the other, before a half-open process serves. */
export const TRIALS = 3

/** The state of a process that was never ejected. */
export const HEALTHY: OutlierState = { kind: 'serving', ejections: 0, sinceMs: Number.NEGATIVE_INFINITY }

export function step(state: OutlierState, event: OutlierEvent): OutlierStep {
  switch (state.kind) {
    case 'serving':
      return event.kind === 'rule_matched'
        ? ejected(ejectionsAt(state, event.nowMs), event, event.reason)
        : next(state)
    case 'ejected':
      return fromEjected(state, event)
    case 'half_open':
      return fromHalfOpen(state, event)
    default:
      return state satisfies never
  }
}

/** Returns the number of ejections that still count at this time. */
export function ejectionsAt({ kind, ejections, sinceMs }: OutlierState, nowMs: number): number {
  return kind === 'serving' && nowMs - sinceMs >= HEALTHY_MS ? 0 : ejections
}

function fromEjected(state: Extract<OutlierState, { kind: 'ejected' }>, event: OutlierEvent): OutlierStep {
  switch (event.kind) {
    case 'elapsed':
      return halfOpen(state, event.nowMs, 0)
    case 'succeeded':
      // It received the request only because no other process could.
      return halfOpen(state, event.nowMs, 1)
    case 'check_failed':
      return next({ ...state, checkFailed: true })
    case 'check_passed':
      if (state.checkFailed) return serving(state, event.nowMs)
      return state.ejections === 1 ? halfOpen(state, event.nowMs, 0) : next(state)
    case 'disabled':
      return serving(state, event.nowMs)
    case 'failed':
    case 'rule_matched':
      return next(state)
    default:
      return event satisfies never
  }
}

function fromHalfOpen(state: Extract<OutlierState, { kind: 'half_open' }>, event: OutlierEvent): OutlierStep {
  switch (event.kind) {
    case 'succeeded': {
      const successes = state.successes + 1
      return successes >= TRIALS ? serving(state, event.nowMs) : next({ ...state, successes })
    }
    case 'failed':
      return event.mayEject
        ? ejected(state.ejections, event, 'trial_failed')
        : next({ ...state, successes: 0, refused: event.refused })
    case 'check_failed':
      return next({ ...state, checkFailed: true })
    case 'check_passed':
      return state.checkFailed ? serving(state, event.nowMs) : next(state)
    case 'disabled':
      return serving(state, event.nowMs)
    case 'elapsed':
    case 'rule_matched':
      return next(state)
    default:
      return event satisfies never
  }
}

/** Enters the state, or stays in it, without an effect. */
function next(state: OutlierState): OutlierStep {
  return { state, effects: [] }
}

/** `before`: the number of earlier ejections that count. */
function ejected(
  before: number,
  { nowMs, refused, isDown, times }: Extract<OutlierEvent, { kind: 'rule_matched' | 'failed' }>,
  reason: EjectionReason,
): OutlierStep {
  const afterMs = Math.min(times.maxEjectMs, times.ejectMs * 2 ** before)
  const untilMs = nowMs + afterMs
  return {
    state: {
      kind: 'ejected',
      ejections: before + 1,
      sinceMs: nowMs,
      untilMs,
      reason,
      refused,
      checkFailed: isDown,
    },
    effects: [{ kind: 'wake', afterMs }, { kind: 'probe' }],
  }
}

function halfOpen(
  { ejections, reason, refused, checkFailed }: Extract<OutlierState, { kind: 'ejected' }>,
  nowMs: number,
  successes: number,
): OutlierStep {
  return next({ kind: 'half_open', ejections, sinceMs: nowMs, reason, refused, checkFailed, successes })
}

function serving({ ejections }: OutlierState, nowMs: number): OutlierStep {
  return { state: { kind: 'serving', ejections, sinceMs: nowMs }, effects: [{ kind: 'slow_start' }] }
}
