// The numbers of one service: durations by the labels of requests, the parts of a request by subset, and bytes. The object of the
// service has them, so a request finds them without a lookup.

import { DURATION_BOUNDARIES, Histogram, PART_BOUNDARIES } from '@vera-stack/shared/metrics/histogram.ts'
import type { MetricSink } from '@vera-stack/shared/metrics/metric.ts'
import { classOfKey, labelsOfKey } from './request-labels.ts'
import type { SeriesBudget } from './series-budget.ts'
import { addHistogram, type TrafficCounters, type TrafficTotals } from './traffic-totals.ts'

/** The histograms by subset. `response_head`: from the request to the head. `backend`: the part of it that the backend needed. */
export type Part = 'response_head' | 'backend' | 'queue_wait'

interface DurationSeries {
  readonly labels: readonly string[]
  /** Index in TrafficTotals.classes. */
  readonly statusClass: number
  readonly histogram: Histogram
}

/** The histograms of one subset. Each one exists from its first observation on. */
class SubsetMeters {
  readonly labels: readonly string[]
  readonly parts: { [Name in Part]: Histogram | undefined } = {
    response_head: undefined,
    backend: undefined,
    queue_wait: undefined,
  }

  constructor(service: string, subset: string) {
    this.labels = [service, subset]
  }

  addTo({ head, backend, wait }: TrafficTotals): void {
    addHistogram(this.parts.response_head, head)
    addHistogram(this.parts.backend, backend)
    addHistogram(this.parts.queue_wait, wait)
  }
}

/** Takes the observations of all services that find no series of their own. */
export class OverflowMeters {
  readonly #durations = new Histogram(DURATION_BOUNDARIES)
  readonly #parts: { readonly [Name in Part]: Histogram } = {
    response_head: new Histogram(PART_BOUNDARIES),
    backend: new Histogram(PART_BOUNDARIES),
    queue_wait: new Histogram(PART_BOUNDARIES),
  }
  readonly #durationLabels: readonly string[]
  readonly #partLabels: readonly string[]

  constructor(service: string) {
    this.#durationLabels = [service, '', '', '', '']
    this.#partLabels = [service, '_overflow']
  }

  duration(seconds: number): void {
    this.#durations.observe(seconds)
  }

  /** Returns the bucket of PART_BOUNDARIES. */
  part(name: Part, seconds: number): number {
    return this.#parts[name].observe(seconds)
  }

  collectDurations(sink: MetricSink): void {
    if (this.#durations.count > 0) sink.histogram(this.#durationLabels, this.#durations)
  }

  collectPart(name: Part, sink: MetricSink): void {
    const histogram = this.#parts[name]
    if (histogram.count > 0) sink.histogram(this.#partLabels, histogram)
  }
}

export class ServiceMeters implements TrafficCounters {
  /** The name of the service; empty: requests without a service. */
  readonly service: string
  readonly historyKey: string | undefined
  requestBytes = 0
  responseBytes = 0
  readonly #budget: SeriesBudget
  readonly #overflow: OverflowMeters
  readonly #durations = new Map<number, DurationSeries>()
  readonly #noSubset: SubsetMeters
  #subsets: Map<string, SubsetMeters> | undefined
  #series = 0

  constructor(service: string, budget: SeriesBudget, overflow: OverflowMeters) {
    this.service = service
    this.historyKey = service === '' || service.startsWith('_') ? undefined : service
    this.#budget = budget
    this.#overflow = overflow
    this.#noSubset = new SubsetMeters(service, '')
  }

  /** `key`: the number of its labels (requestKey). */
  finished(key: number, seconds: number, bytesIn: number, bytesOut: number): void {
    this.requestBytes += bytesIn
    this.responseBytes += bytesOut
    const series = this.#durations.get(key) ?? this.#newSeries(key)
    if (series === undefined) this.#overflow.duration(seconds)
    else series.histogram.observe(seconds)
  }

  /** `subset`: its name; undefined: the process belongs to none. Returns the bucket of PART_BOUNDARIES. */
  observe(part: Part, subset: string | undefined, seconds: number): number {
    const meters = subset === undefined ? this.#noSubset : this.#ofSubset(subset)
    const histogram = meters.parts[part] ?? this.#newPart(meters, part)
    return histogram === undefined ? this.#overflow.part(part, seconds) : histogram.observe(seconds)
  }

  collectDurations(sink: MetricSink): void {
    for (const { labels, histogram } of this.#durations.values()) sink.histogram(labels, histogram)
  }

  collectPart(part: Part, sink: MetricSink): void {
    for (const { labels, parts } of [this.#noSubset, ...(this.#subsets?.values() ?? [])]) {
      const histogram = parts[part]
      if (histogram !== undefined) sink.histogram(labels, histogram)
    }
  }

  /** Adds the numbers of this service, without the observations that overflowed. */
  addTo(totals: TrafficTotals): void {
    totals.requestBytes += this.requestBytes
    totals.responseBytes += this.responseBytes
    for (const { statusClass, histogram } of this.#durations.values())
      totals.classes[statusClass]! += histogram.count
    this.#noSubset.addTo(totals)
    if (this.#subsets !== undefined) for (const meters of this.#subsets.values()) meters.addTo(totals)
  }

  /** Returns its series to the budget. Call it when no scrape shows them any more. */
  release(): void {
    this.#budget.give(this.#series)
    this.#series = 0
  }

  #newSeries(key: number): DurationSeries | undefined {
    if (!this.#takes()) return undefined
    const labels = [this.service, ...labelsOfKey(key)]
    const series = { labels, statusClass: classOfKey(key), histogram: new Histogram(DURATION_BOUNDARIES) }
    this.#durations.set(key, series)
    return series
  }

  #newPart(meters: SubsetMeters, part: Part): Histogram | undefined {
    if (!this.#takes()) return undefined
    const histogram = new Histogram(PART_BOUNDARIES)
    meters.parts[part] = histogram
    if (meters !== this.#noSubset) {
      this.#subsets ??= new Map()
      this.#subsets.set(meters.labels[1] as string, meters)
    }
    return histogram
  }

  #takes(): boolean {
    if (!this.#budget.take()) return false
    this.#series += 1
    return true
  }

  #ofSubset(subset: string): SubsetMeters {
    return this.#subsets?.get(subset) ?? new SubsetMeters(this.service, subset)
  }
}
