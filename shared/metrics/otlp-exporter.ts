// Sends the metrics of a process to a receiver of OTLP, once a minute and once at the stop. One request is open at a time, and each
// has a time limit. The counts are cumulative, so a failed export loses no count: the next one contains it.

import type { Clock, Timer } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { OtlpResult } from '../otlp/otlp-post.ts'
import { OtlpReport } from '../otlp/otlp-report.ts'
import { OtlpSender } from '../otlp/otlp-sender.ts'
import type { OtlpReceiver } from '../otlp/otlp-settings.ts'
import type { LabelledCounts } from './labelled-counts.ts'
import type { Metric } from './metric.ts'
import { type OtlpResource, otlpRequests } from './otlp-requests.ts'

export interface OtlpExporterOptions {
  readonly receiver: OtlpReceiver
  readonly resource: OtlpResource
  /** Called once for each export. */
  readonly metrics: () => Iterable<Metric>
  /** Counts failed exports by reason. */
  readonly failures: LabelledCounts
  readonly clock: Clock
  readonly log: Logger
}

const INTERVAL_MS = 60_000
/** The pause after a receiver has refused the requests as such. Another configuration is necessary there. */
const REFUSED_PAUSE_MS = 600_000
/** The longest time of `stop`. */
const STOP_MS = 3000

export class OtlpExporter {
  readonly #options: OtlpExporterOptions
  readonly #sender: OtlpSender
  readonly #report: OtlpReport
  readonly #startMs: number
  #timer: Timer | undefined
  #running: Promise<void> | undefined
  #stopped: Promise<void> | undefined

  /** Sends the first export after one interval. */
  constructor(options: OtlpExporterOptions) {
    const { receiver, clock, log } = options
    this.#options = options
    this.#sender = new OtlpSender({ receiver, clock })
    const afterRefusal = `The next attempt is in ${REFUSED_PAUSE_MS / 60_000} min.`
    this.#report = new OtlpReport({ signal: 'metrics', url: receiver.url, afterRefusal, clock, log })
    this.#startMs = clock.wallTime()
    this.#schedule(INTERVAL_MS)
  }

  /** Sends a last export, and resolves after at most three seconds. Never rejects. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#timer?.cancel()
    const limit = this.#sender.endAfter(STOP_MS)
    await this.#running
    if (this.#report.last.kind !== 'refused' && !this.#sender.ended) await this.#export()
    limit.cancel()
  }

  #schedule(delayMs: number): void {
    this.#timer = this.#options.clock.after(delayMs, () => {
      const startedAt = this.#options.clock.now()
      this.#running = this.#export().then(() => {
        this.#running = undefined
        if (this.#stopped !== undefined) return
        const pauseMs = this.#report.last.kind === 'refused' ? REFUSED_PAUSE_MS : INTERVAL_MS
        this.#schedule(Math.max(0, pauseMs - (this.#options.clock.now() - startedAt)))
      })
    })
  }

  async #export(): Promise<void> {
    const { failures, log } = this.#options
    try {
      const result = await this.#send()
      if (result.kind !== 'accepted') failures.add(result.kind)
      this.#report.add(result)
    } catch (error) {
      failures.add('failed')
      log.error('the metrics for OTLP could not be collected', { err: error })
    }
  }

  /** Stops at the first request that fails. A later one would only add to the wait. */
  async #send(): Promise<OtlpResult> {
    const { resource, metrics, clock } = this.#options
    const times = { startMs: this.#startMs, nowMs: clock.wallTime() }
    let partial: OtlpResult | undefined
    // Compressed first, so that all requests have values of nearly the same time.
    const bodies: Buffer[] = []
    for (const text of otlpRequests(metrics(), resource, times)) bodies.push(await this.#sender.pack(text))
    for (const body of bodies) {
      const result = await this.#sender.post(body)
      if (result.kind === 'partial') partial ??= result
      else if (result.kind !== 'accepted') return result
    }
    return partial ?? { kind: 'accepted' }
  }
}
