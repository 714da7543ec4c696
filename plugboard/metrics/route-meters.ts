// The numbers of one route: its requests by class of the status.

import type { MetricSink } from '@vera-stack/shared/metrics/metric.ts'

const CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const

export class RouteMeters {
  readonly #labels: readonly string[][]
  readonly #counts = [0, 0, 0, 0, 0]

  constructor(mount: string, service: string) {
    this.#labels = CLASSES.map(name => [mount, service, name])
  }

  finished(status: number): void {
    // 600 to 999 count as 5xx, as in `requestKey`.
    const index = status >= 500 ? 4 : Math.max(0, Math.floor(status / 100) - 1)
    this.#counts[index]! += 1
  }

  collect(sink: MetricSink): void {
    for (const [index, count] of this.#counts.entries()) {
      if (count > 0) sink.value(this.#labels[index] as string[], count)
    }
  }
}
