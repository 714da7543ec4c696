// The counts of one histogram series. An observation is a scan over a few numbers and two additions, because each request makes
// three of them.

export class Histogram {
  /** Upper bounds of the buckets, rising, without infinity. */
  readonly boundaries: readonly number[]
  /** Observations by bucket. A value on a bound belongs to the bucket below it. The last bucket has no bound. */
  readonly counts: number[]
  sum = 0

  constructor(boundaries: readonly number[]) {
    this.boundaries = boundaries
    this.counts = Array.from({ length: boundaries.length + 1 }, () => 0)
  }

  /** Counts the value. Returns the index of its bucket, so that a second series with these bounds needs no scan of its own. */
  observe(value: number): number {
    const { boundaries, counts } = this
    let bucket = 0
    while (bucket < boundaries.length && value > (boundaries[bucket] as number)) bucket += 1
    counts[bucket]! += 1
    this.sum += value
    return bucket
  }

  get count(): number {
    let total = 0
    for (const count of this.counts) total += count
    return total
  }
}

/** The boundaries of the OpenTelemetry semantic conventions for the duration of HTTP requests, seconds. */
export const DURATION_BOUNDARIES = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
] as const

/** The same with two shorter times, for the parts of a request, seconds. */
export const PART_BOUNDARIES = [0.001, 0.0025, ...DURATION_BOUNDARIES] as const

/** For round trips of tunnels, seconds. */
export const ROUND_TRIP_BOUNDARIES = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
] as const

/** For the time until a replica has applied a change, seconds. */
export const CHANGE_LAG_BOUNDARIES = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
] as const
