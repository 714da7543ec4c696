// The times to the head of a response of one telephone process in the last minute, as a histogram, for the quantiles that operators
// see. It has one row of buckets for each tenth of the minute: a response changes two numbers, and allocates no memory.

const SLOTS = 10
const WINDOW_MS = 60_000
const SLOT_MS = WINDOW_MS / SLOTS
/** The upper bound of the first bucket, ms. Each further bucket ends at √2 times the bound before: the last one at 16 s. */
const FIRST_MS = 0.25
const BUCKETS = 33

export class RecentTimes {
  readonly #counts = new Uint32Array(SLOTS * BUCKETS)
  /** The number of the newest slot since the start of the clock. */
  #slot = Number.NEGATIVE_INFINITY

  add(ms: number, nowMs: number): void {
    const slot = Math.floor(nowMs / SLOT_MS)
    if (slot !== this.#slot) this.#advance(slot)
    const bucket = Math.ceil(2 * Math.log2(ms / FIRST_MS))
    const index = (slot % SLOTS) * BUCKETS + Math.min(BUCKETS - 1, Math.max(0, bucket))
    this.#counts[index] = (this.#counts[index] as number) + 1
  }

  /** Adds the counts of the last minute to the buckets of `sums`. */
  addTo(sums: number[], nowMs: number): void {
    this.#advance(Math.floor(nowMs / SLOT_MS))
    for (const [index, count] of this.#counts.entries()) {
      const bucket = index % BUCKETS
      sums[bucket] = (sums[bucket] ?? 0) + count
    }
  }

  /** Clears the slots that are older than the window. */
  #advance(slot: number): void {
    if (slot - this.#slot >= SLOTS) this.#counts.fill(0)
    else {
      for (let next = this.#slot + 1; next <= slot; next += 1) {
        const start = (next % SLOTS) * BUCKETS
        this.#counts.fill(0, start, start + BUCKETS)
      }
    }
    this.#slot = slot
  }
}

/** Returns the quantile (0-1) of all processes together, ms, with an error of at most 20 %; null without a response. */
export function quantileOf(times: Iterable<RecentTimes>, quantile: number, nowMs: number): number | null {
  const sums: number[] = []
  for (const each of times) each.addTo(sums, nowMs)
  const total = sums.reduce((sum, count) => sum + count, 0)
  let left = total * quantile
  for (const [bucket, count] of sums.entries()) {
    left -= count
    // The middle of the bucket, by ratio.
    if (count > 0 && left <= 0) return FIRST_MS * 2 ** ((bucket - 0.5) / 2)
  }
  return null
}
