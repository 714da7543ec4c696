// The hard cap of histogram series. Labels multiply, so many services with many statuses could otherwise use any amount of memory.
// Observations above the cap go to one shared series for each metric, and are counted.

/** The largest number of histogram series of a replica. */
export const MAX_HISTOGRAM_SERIES = 5000

export class SeriesBudget {
  readonly #max: number
  #used = 0
  /** Observations that found no series of their own. */
  overflow = 0

  constructor(max = MAX_HISTOGRAM_SERIES) {
    this.#max = max
  }

  /** The number of series in use. */
  get used(): number {
    return this.#used
  }

  /** Takes one series. Returns false, and counts an overflow, when all are in use. */
  take(): boolean {
    if (this.#used >= this.#max) {
      this.overflow += 1
      return false
    }
    this.#used += 1
    return true
  }

  give(series: number): void {
    this.#used -= series
  }
}
