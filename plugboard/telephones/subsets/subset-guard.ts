// The guard of a subset: compares the errors of the subset with those of the processes of no subset, and stops requests to the
// subset when it has more. Each replica decides alone, and writes nothing to the database.
//
//   serving (share 1) ──too many errors──▶ stopped for 60 s ──▶ serving with half the share ──too many errors──▶ stopped …
//
// Two counts are compared: a short one, which shows soon that a subset has begun to fail, and a long one, which shows a small
// difference. A difference must be larger than chance explains. Otherwise, a few errors among many comparisons would stop a
// healthy subset.

/** Time without requests to a subset that has too many errors. */
export const STOPPED_MS = 60_000
/** The rest needs this many requests before the subset is compared with it. */
const MIN_REST_REQUESTS = 10
/** A count is halved when the subset has this many times `minRequests`, so that it describes the last requests. */
const SHORT = 2
const LONG = 40
/** The difference must exceed its limit by this many standard deviations. */
const DEVIATIONS = 4

export interface GuardRules {
  /** Largest difference between the error percentages of the subset and of the rest, in points. */
  readonly maxErrorPercent: number
  /** Requests of the subset that are needed for a comparison. */
  readonly minRequests: number
}

export interface SubsetGuard {
  readonly rules: GuardRules
  readonly short: Counts
  readonly long: Counts
  /** The part of the subset's percentage that it gets: 1, and half of it after each stop. */
  share: number
  /** No request is sent to the subset before this time. */
  stoppedUntilMs: number
  /** Number of stops on this replica. */
  stops: number
  /** The percentages at the last stop; undefined: there was none. */
  lastStop: GuardStop | undefined
}

interface Counts {
  requests: number
  errors: number
  restRequests: number
  restErrors: number
}

/** The error percentages at a stop. */
export interface GuardStop {
  readonly errorPercent: number
  readonly restErrorPercent: number
}

export function newGuard(rules: GuardRules): SubsetGuard {
  return {
    rules,
    short: newCounts(),
    long: newCounts(),
    share: 1,
    stoppedUntilMs: Number.NEGATIVE_INFINITY,
    stops: 0,
    lastStop: undefined,
  }
}

/** Returns the part of the subset's percentage that it gets now; 0: it gets no requests. */
export function shareOf({ share, stoppedUntilMs }: SubsetGuard, nowMs: number): number {
  return nowMs < stoppedUntilMs ? 0 : share
}

/** Returns the error percentages of the last requests; undefined: the subset or the rest had none since the last stop. */
export function recentErrors({ long }: SubsetGuard): GuardStop | undefined {
  return long.requests > 0 && long.restRequests > 0 ? percentagesOf(long) : undefined
}

/** Counts a result of the rest. */
export function countRest({ short, long }: SubsetGuard, isError: boolean): void {
  for (const counts of [short, long]) {
    counts.restRequests += 1
    if (isError) counts.restErrors += 1
  }
}

/** Counts a result of the subset. Returns the percentages when this result stops the subset. */
export function countSubset(guard: SubsetGuard, isError: boolean, nowMs: number): GuardStop | undefined {
  // The results of requests that were sent before the stop arrive after it.
  if (nowMs < guard.stoppedUntilMs) return undefined
  const stop =
    countIn(guard.short, guard.rules, SHORT, isError) ?? countIn(guard.long, guard.rules, LONG, isError)
  if (stop === undefined) return undefined
  guard.stoppedUntilMs = nowMs + STOPPED_MS
  guard.share /= 2
  guard.stops += 1
  guard.lastStop = stop
  for (const counts of [guard.short, guard.long]) keepPart(counts, 0)
  return stop
}

function countIn(
  counts: Counts,
  rules: GuardRules,
  windows: number,
  isError: boolean,
): GuardStop | undefined {
  counts.requests += 1
  if (isError) counts.errors += 1
  if (counts.requests < rules.minRequests || counts.restRequests < MIN_REST_REQUESTS) return undefined
  if (isError && isWorse(counts, rules.maxErrorPercent)) return percentagesOf(counts)
  if (counts.requests >= windows * rules.minRequests) keepPart(counts, 0.5)
  return undefined
}

/** Compares by the normal approximation of the difference of two shares. */
function isWorse({ requests, errors, restRequests, restErrors }: Counts, maxErrorPercent: number): boolean {
  // Without an error, the share of the rest is still uncertain. It is less certain after few requests than after many.
  const rest = (restErrors + 1) / (restRequests + 2)
  const allowed = Math.min(1, restErrors / restRequests + maxErrorPercent / 100)
  const likely = Math.min(0.5, Math.max(allowed, rest))
  const variance = (likely * (1 - likely)) / requests + (rest * (1 - rest)) / restRequests
  return errors / requests - allowed > DEVIATIONS * Math.sqrt(variance)
}

function percentagesOf({ requests, errors, restRequests, restErrors }: Counts): GuardStop {
  return { errorPercent: (100 * errors) / requests, restErrorPercent: (100 * restErrors) / restRequests }
}

function newCounts(): Counts {
  return { requests: 0, errors: 0, restRequests: 0, restErrors: 0 }
}

function keepPart(counts: Counts, part: number): void {
  counts.requests *= part
  counts.errors *= part
  counts.restRequests *= part
  counts.restErrors *= part
}
