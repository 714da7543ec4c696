// Values by the clock of their entry, in ascending order: two plain arrays, 16 bytes a value where a Map takes
// 50. Clocks only grow, so that a new value goes to the end and an old one is found by halving.

export class ClockList<T> {
  readonly #clocks: number[] = []
  readonly #values: T[] = []

  get size(): number {
    return this.#values.length
  }

  values(): readonly T[] {
    return this.#values
  }

  /** `clock` must be above all clocks in the list. */
  append(clock: number, value: T): void {
    this.#clocks.push(clock)
    this.#values.push(value)
  }

  /** Takes out the values with clocks in [clock, clock + len); those that are there. */
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
