// A list of values, ordered by the clock of their entry. Two plain arrays take 16 bytes per value; a Map would take 50. Clocks
// only grow, so a new value goes to the end, and a binary search finds an old one.

export class ClockList<T> {
  readonly #clocks: number[] = []
  readonly #values: T[] = []

  get size(): number {
    return this.#values.length
  }

  values(): readonly T[] {
    return this.#values
  }

  /** Appends a value. `clock` must be above all clocks in the list. */
  append(clock: number, value: T): void {
    this.#clocks.push(clock)
    this.#values.push(value)
  }

  /** Removes and returns the values with clocks in [clock, clock + len). */
  removeRange(clock: number, len: number): T[] {
    const from = this.#firstNotBelow(clock)
    const to = this.#firstNotBelow(clock + len)
    if (from === to) return []
    this.#clocks.splice(from, to - from)
    return this.#values.splice(from, to - from)
  }

  #firstNotBelow(clock: number): number {
    let low = 0
    let high = this.#clocks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#clocks[middle]! < clock) low = middle + 1
      else high = middle
    }
    return low
  }
}
