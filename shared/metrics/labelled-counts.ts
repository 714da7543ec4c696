// Counts by the value of one label. The values may come from outside, so their number is bounded: further ones are `_other`.

import type { MetricSource } from './metric.ts'

const OTHER_VALUE = '_other'

export class LabelledCounts {
  readonly #max: number
  readonly #counts = new Map<string, number>()

  constructor(max = 100) {
    this.#max = max
  }

  add(value: string, by = 1): void {
    const known = this.#counts.get(value)
    if (known !== undefined) this.#counts.set(value, known + by)
    else if (this.#counts.size < this.#max) this.#counts.set(value, by)
    else this.#counts.set(OTHER_VALUE, (this.#counts.get(OTHER_VALUE) ?? 0) + by)
  }

  readonly collect: MetricSource = sink => {
    for (const [value, count] of this.#counts) sink.value([value], count)
  }
}
