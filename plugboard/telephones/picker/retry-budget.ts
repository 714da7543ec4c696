// The retry budget of a service (`retryBudgetPercent`): limits the retries in flight, and the retries of one second, to a share
// of the streams of the service. So retries do not multiply the load of backends that all fail. It has two limits, because fast
// failures never have many retries in flight. The numbers are part of the pool; this file alone changes them.

/** Retries that may be in flight with any percentage. */
const MIN_IN_FLIGHT = 3
/** Retries that may start in one window with any percentage. */
const MIN_PER_WINDOW = 10
const WINDOW_MS = 1000

export interface RetryCounts {
  /** Retries that have not received the head of a response. */
  inFlight: number
  /** The window starts with its first retry. */
  windowStartMs: number
  /** Retries that have started in the window. */
  started: number
  /** The value of `opened` when the window started. */
  openedBefore: number
}

/** The streams of a service: a LinePool. */
export interface BudgetedStreams {
  /** One entry for each open stream. */
  readonly holders: readonly unknown[]
  /** Number of all streams that were opened. */
  readonly opened: number
  readonly retries: RetryCounts
}

export function newRetryCounts(): RetryCounts {
  return { inFlight: 0, windowStartMs: Number.NEGATIVE_INFINITY, started: 0, openedBefore: 0 }
}

/**
 * Takes one retry from the budget, after the failed stream was released. Returns false when the budget is used up. Call
 * `endRetry` when the head of a response has arrived, or when the retry has ended without one.
 */
export function takeRetry(streams: BudgetedStreams, percent: number, nowMs: number): boolean {
  const { retries, opened } = streams
  if (nowMs - retries.windowStartMs >= WINDOW_MS) {
    retries.windowStartMs = nowMs
    retries.started = 0
    retries.openedBefore = opened
  }
  const open = streams.holders.length - retries.inFlight
  if (retries.inFlight >= Math.max(MIN_IN_FLIGHT, (open * percent) / 100)) return false
  const requests = opened - retries.openedBefore - retries.started
  if (retries.started >= Math.max(MIN_PER_WINDOW, ((requests + open) * percent) / 100)) return false
  retries.inFlight += 1
  retries.started += 1
  return true
}

export function endRetry({ retries }: BudgetedStreams): void {
  retries.inFlight -= 1
}
