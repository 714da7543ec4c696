// Counts the transitions of passive ejection by service, since the start of the replica. A service without an ejection has no
// entry.

import type { EjectionReason, OutlierState } from './outlier-state.ts'

/** Largest number of services. Deleted and renamed services leave counts behind, so the oldest ones are dropped. */
const MAX_SERVICES = 10_000
/** A pause is reported until no ejection was prevented for this long. */
const PAUSE_MS = 10_000

const REASON_COUNTS = {
  consecutive_failures: 'consecutiveFailures',
  error_responses: 'errorResponses',
  trial_failed: 'trialFailures',
} as const satisfies Record<EjectionReason, string>

export interface ServiceEjections {
  /** Ejections by reason. */
  consecutiveFailures: number
  errorResponses: number
  trialFailures: number
  /** Processes that started to receive trial requests. */
  halfOpened: number
  /** Processes that serve again. */
  readmitted: number
  /** Times at which the bound started to prevent ejections. */
  paused: number
}

interface ServiceEntry extends ServiceEjections {
  pausedAtMs: number
  /** Milliseconds since 1970. */
  pausedSinceMs: number
}

export class EjectionCounts {
  readonly #services = new Map<string, ServiceEntry>()

  changed(service: string, state: OutlierState): void {
    const entry = this.#entryOf(service)
    switch (state.kind) {
      case 'ejected':
        entry[REASON_COUNTS[state.reason]] += 1
        break
      case 'half_open':
        entry.halfOpened += 1
        break
      case 'serving':
        entry.readmitted += 1
        break
      default:
        state satisfies never
    }
  }

  /** Counts a prevented ejection. Returns true when the last one is so long ago that this one has to be reported. */
  pause(service: string, nowMs: number, wallMs: number): boolean {
    const entry = this.#entryOf(service)
    const isNew = nowMs - entry.pausedAtMs >= PAUSE_MS
    entry.pausedAtMs = nowMs
    if (!isNew) return false
    entry.pausedSinceMs = wallMs
    entry.paused += 1
    return true
  }

  /** Returns the counts of each service, and since when its ejection is paused (milliseconds since 1970). */
  *list(nowMs: number): Generator<{
    readonly service: string
    readonly counts: ServiceEjections
    readonly pausedSinceMs: number | undefined
  }> {
    for (const [service, { pausedAtMs, pausedSinceMs, ...counts }] of this.#services) {
      const isPaused = nowMs - pausedAtMs < PAUSE_MS
      yield { service, counts, pausedSinceMs: isPaused ? pausedSinceMs : undefined }
    }
  }

  #entryOf(service: string): ServiceEntry {
    const known = this.#services.get(service)
    if (known !== undefined) return known
    const [oldest] = this.#services.keys()
    if (oldest !== undefined && this.#services.size >= MAX_SERVICES) this.#services.delete(oldest)
    const entry: ServiceEntry = {
      consecutiveFailures: 0,
      errorResponses: 0,
      trialFailures: 0,
      halfOpened: 0,
      readmitted: 0,
      paused: 0,
      pausedAtMs: Number.NEGATIVE_INFINITY,
      pausedSinceMs: 0,
    }
    this.#services.set(service, entry)
    return entry
  }
}
