// The numbers of one route: its requests by class of the status, and the times to the heads of its responses.

import { PART_BOUNDARIES } from '@vera-stack/shared/metrics/histogram.ts'
import type { MetricSink } from '@vera-stack/shared/metrics/metric.ts'
import { OTHER } from './meter-slots.ts'
import type { TrafficCounters, TrafficTotals } from './traffic-totals.ts'

const CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const

export class RouteMeters implements TrafficCounters {
  readonly historyKey: string | undefined
  readonly #labels: readonly string[][]
  readonly #counts = [0, 0, 0, 0, 0]
  /** Responses by the bucket of PART_BOUNDARIES. */
  readonly #heads: number[] = Array.from({ length: PART_BOUNDARIES.length + 1 }, () => 0)
  #headSeconds = 0

  constructor(mount: string, service: string) {
    this.#labels = CLASSES.map(name => [mount, service, name])
    this.historyKey = mount === OTHER ? undefined : routeKey(mount, service)
  }

  /** All requests. */
  get requests(): number {
    let sum = 0
    for (const count of this.#counts) sum += count
    return sum
  }

  finished(status: number): void {
    // 600 to 999 count as 5xx, as in `requestKey`.
    const index = status >= 500 ? 4 : Math.max(0, Math.floor(status / 100) - 1)
    this.#counts[index]! += 1
  }

  /** `bucket`: the one in which the service has counted the time. */
  headArrived(bucket: number, seconds: number): void {
    this.#heads[bucket]! += 1
    this.#headSeconds += seconds
  }

  addTo({ classes, head }: TrafficTotals): void {
    // The totals have one class for 1xx and 2xx.
    for (const [index, count] of this.#counts.entries()) classes[Math.max(0, index - 1)]! += count
    for (const [bucket, count] of this.#heads.entries()) head.counts[bucket]! += count
    head.sum += this.#headSeconds
  }

  collect(sink: MetricSink): void {
    for (const [index, count] of this.#counts.entries()) {
      if (count > 0) sink.value(this.#labels[index] as string[], count)
    }
  }
}

/** Returns the name of a route in slots and histories. The name of a service contains no space. */
export function routeKey(mount: string, service: string): string {
  return `${mount} ${service}`
}
