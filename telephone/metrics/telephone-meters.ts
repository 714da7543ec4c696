// The counts of a Telephone: times and failures of its backends. Its services are known at the start, so their number is bounded.

import { Histogram, PART_BOUNDARIES } from '@vera-stack/shared/metrics/histogram.ts'
import { LabelledCounts } from '@vera-stack/shared/metrics/labelled-counts.ts'
import type { MetricSink } from '@vera-stack/shared/metrics/metric.ts'

interface ServiceMeters {
  readonly backend: Histogram
  readonly failures: LabelledCounts
}

export class TelephoneMeters {
  readonly #services = new Map<string, ServiceMeters>()
  /** Lost tunnels by reason. */
  readonly lost = new LabelledCounts()
  /** Failed exports of metrics by reason. */
  readonly otlpFailures = new LabelledCounts()
  /** Spans of traces by their result. */
  readonly spans = new LabelledCounts()

  /** Measures the time of a backend until the head of its response. */
  responded(service: string, backendUs: number): void {
    this.#of(service).backend.observe(backendUs / 1e6)
  }

  /** Counts a failure of a backend. `cause`: a code of backend-causes.ts. */
  failed(service: string, cause: string): void {
    this.#of(service).failures.add(cause)
  }

  readonly backendTimes = (sink: MetricSink): void => {
    for (const [service, { backend }] of this.#services) sink.histogram([service], backend)
  }

  readonly failures = (sink: MetricSink): void => {
    for (const [service, { failures }] of this.#services) {
      failures.collect({
        value: ([cause = ''], count) => sink.value([service, cause], count),
        histogram: (labels, histogram) => sink.histogram(labels, histogram),
      })
    }
  }

  #of(service: string): ServiceMeters {
    let meters = this.#services.get(service)
    if (meters === undefined) {
      meters = { backend: new Histogram(PART_BOUNDARIES), failures: new LabelledCounts() }
      this.#services.set(service, meters)
    }
    return meters
  }
}
