// The generic cell rate algorithm (ITU-T I.371). One number per key is enough: the time at which the whole burst would be
// available again without further requests. Each request moves this time forward by one interval. A request that would move it
// more than one burst ahead of the present is rejected. So any window admits at most `limit + burst` requests, and the average
// over a long time is at most `limit` per window. All times are ms of one clock.

/** The quota of one limit. */
export interface Quota {
  /** Time that one request costs, ms: the window divided by the limit. */
  readonly intervalMs: number
  /** Requests that may come at the same time. */
  readonly burst: number
}

/** Part of an interval that rounding errors may add to a sum. */
const SLACK = 1e-3

/** Returns the new time of a key after `cost` requests at `nowMs`. `fullAtMs`: the time of the key; 0 for a new key. */
export function debited(fullAtMs: number, nowMs: number, cost: number, { intervalMs }: Quota): number {
  return Math.max(fullAtMs, nowMs) + cost * intervalMs
}

/**
 * Returns the time in ms until `cost` requests are admitted; 0 or less: they are admitted now. A cost above the burst is
 * treated like the burst, because it would be rejected forever.
 */
export function waitMs(fullAtMs: number, nowMs: number, cost: number, { intervalMs, burst }: Quota): number {
  const aheadMs = Math.max(0, fullAtMs - nowMs) + (Math.min(cost, burst) - burst) * intervalMs
  return aheadMs <= SLACK * intervalMs ? 0 : aheadMs
}

/** Returns the number of requests that are admitted now. */
export function remaining(fullAtMs: number, nowMs: number, { intervalMs, burst }: Quota): number {
  return Math.max(0, Math.floor(burst + SLACK - Math.max(0, fullAtMs - nowMs) / intervalMs))
}

/** Returns the seconds, rounded up, until one request more is admitted than now; 0 when the whole burst is available. */
export function secondsToNext(fullAtMs: number, nowMs: number, quota: Quota): number {
  const free = remaining(fullAtMs, nowMs, quota)
  if (free >= quota.burst) return 0
  const untilMs = fullAtMs - nowMs - (quota.burst - free - 1) * quota.intervalMs
  return Math.max(1, Math.ceil(untilMs / 1000))
}

/** Returns the number of requests, rounded up, that were counted and whose quota is not restored yet. */
export function requestsAhead(
  fullAtMs: number,
  nowMs: number,
  { intervalMs }: Pick<Quota, 'intervalMs'>,
): number {
  return Math.max(0, Math.ceil((fullAtMs - nowMs) / intervalMs - SLACK))
}
