// Counters by service that other parts keep: retries, ejections, decisions of limits. A scrape reads them and adds the increase to the
// total of the labels that the service has at that moment. So no total falls when a service is renamed, deleted, or gets a slot.

import type { MetricSink } from '@vera-stack/shared/metrics/metric.ts'
import { OTHER } from './meter-slots.ts'

/** One count of another part. */
export interface FollowedRow {
  /** Identifies the count, also after a rename. */
  readonly key: string
  /** The first one is the service. */
  readonly labels: readonly string[]
  readonly count: number
}

/** The largest number of label sets of one metric. Further ones are counted together. */
const MAX_LABEL_SETS = 5000

export class FollowedCounts {
  #seen: ReadonlyMap<string, number> = new Map()
  readonly #totals = new Map<string, { readonly labels: readonly string[]; count: number }>()

  /** Reads all counts. `isShown`: returns true for a service whose series are still reported. */
  read(rows: Iterable<FollowedRow>, isShown: (service: string) => boolean): void {
    const seen = new Map<string, number>()
    for (const { key, labels, count } of rows) {
      const before = this.#seen.get(key) ?? 0
      // A smaller count has started again from 0.
      const increase = count < before ? count : count - before
      seen.set(key, count)
      if (increase > 0) this.#add(labels, increase)
    }
    this.#seen = seen
    for (const [text, { labels }] of this.#totals) {
      const [service = ''] = labels
      if (service !== OTHER && !isShown(service)) this.#totals.delete(text)
    }
  }

  collect(sink: MetricSink): void {
    for (const { labels, count } of this.#totals.values()) sink.value(labels, count)
  }

  #add(labels: readonly string[], increase: number): void {
    const text = labels.join('\0')
    const known = this.#totals.get(text)
    if (known !== undefined) {
      known.count += increase
    } else if (this.#totals.size < MAX_LABEL_SETS) {
      this.#totals.set(text, { labels, count: increase })
    } else {
      const others = labels.map(() => OTHER)
      const rest = this.#totals.get(others.join('\0'))
      if (rest === undefined) this.#totals.set(others.join('\0'), { labels: others, count: increase })
      else rest.count += increase
    }
  }
}
