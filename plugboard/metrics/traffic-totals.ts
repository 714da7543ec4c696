// The numbers of a service since the start of this replica, as charts need them: requests by class, bytes, and times.

import { type Histogram, PART_BOUNDARIES } from '@vera-stack/shared/metrics/histogram.ts'

/** The classes of statuses, in the order of TrafficTotals.classes: 1xx and 2xx, 3xx, 4xx, 5xx. */
export const CLASSES = 4
const BUCKETS = PART_BOUNDARIES.length + 1

/** Durations in the buckets of PART_BOUNDARIES. */
export interface TimeTotals {
  readonly counts: Float64Array
  /** Seconds. */
  sum: number
}

export interface TrafficTotals {
  readonly classes: Float64Array
  requestBytes: number
  responseBytes: number
  /** From the request to the head of the response. */
  readonly head: TimeTotals
  /** The part of `head` that the backend needed. */
  readonly backend: TimeTotals
  /** The wait for a line. */
  readonly wait: TimeTotals
}

/** Counters of a service or of a route, which a history of traffic reads. */
export interface TrafficCounters {
  /** The name in the history. Undefined: these counters have no history of their own, as they count several rows or none. */
  readonly historyKey: string | undefined
  addTo(totals: TrafficTotals): void
}

export function newTotals(): TrafficTotals {
  const times = (): TimeTotals => ({ counts: new Float64Array(BUCKETS), sum: 0 })
  return {
    classes: new Float64Array(CLASSES),
    requestBytes: 0,
    responseBytes: 0,
    head: times(),
    backend: times(),
    wait: times(),
  }
}

export function clearTotals(totals: TrafficTotals): void {
  totals.classes.fill(0)
  totals.requestBytes = 0
  totals.responseBytes = 0
  for (const times of timesOf(totals)) {
    times.counts.fill(0)
    times.sum = 0
  }
}

/** Adds `totals` to `sum`. */
export function addTotals(totals: TrafficTotals, sum: TrafficTotals): void {
  addArray(totals.classes, sum.classes)
  sum.requestBytes += totals.requestBytes
  sum.responseBytes += totals.responseBytes
  const from = timesOf(totals)
  timesOf(sum).forEach((times, index) => {
    addArray(from[index]!.counts, times.counts)
    times.sum += from[index]!.sum
  })
}

/**
 * Writes the increase of `now` over `before` to `into`, and then the values of `now` to `before`. When a number has fallen, the
 * counting has started again, and the increase is all of `now`.
 */
export function takeIncrease(now: TrafficTotals, before: TrafficTotals, into: TrafficTotals): void {
  if (requestsOf(now) < requestsOf(before)) clearTotals(before)
  takeArray(now.classes, before.classes, into.classes)
  into.requestBytes = now.requestBytes - before.requestBytes
  into.responseBytes = now.responseBytes - before.responseBytes
  before.requestBytes = now.requestBytes
  before.responseBytes = now.responseBytes
  const olds = timesOf(before)
  const news = timesOf(now)
  timesOf(into).forEach((times, index) => {
    takeArray(news[index]!.counts, olds[index]!.counts, times.counts)
    times.sum = news[index]!.sum - olds[index]!.sum
    olds[index]!.sum = news[index]!.sum
  })
}

export function requestsOf({ classes }: TrafficTotals): number {
  let sum = 0
  for (const count of classes) sum += count
  return sum
}

export function addHistogram(histogram: Histogram | undefined, times: TimeTotals): void {
  if (histogram === undefined) return
  const { counts } = histogram
  for (let index = 0; index < counts.length; index += 1) times.counts[index]! += counts[index] as number
  times.sum += histogram.sum
}

const timesOf = ({ head, backend, wait }: TrafficTotals): readonly TimeTotals[] => [head, backend, wait]

function addArray(from: Float64Array, to: Float64Array): void {
  for (let index = 0; index < to.length; index += 1) to[index]! += from[index] as number
}

function takeArray(now: Float64Array, before: Float64Array, into: Float64Array): void {
  for (let index = 0; index < now.length; index += 1) {
    into[index] = (now[index] as number) - (before[index] as number)
    before[index] = now[index] as number
  }
}
