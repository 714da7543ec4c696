// Sends the metrics of a process to a receiver of OTLP, once a minute and once at the stop. One request is open at a time, and each
// has a time limit. The counts are cumulative, so a failed export loses no count: the next one contains it.

import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Clock, Timer } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { LabelledCounts } from './labelled-counts.ts'
import type { Metric } from './metric.ts'
import { otlpMetricsUrl } from './otlp-endpoint.ts'
import { type OtlpResult, postOtlp } from './otlp-post.ts'
import { type OtlpResource, otlpRequests } from './otlp-requests.ts'

export interface OtlpExporterOptions {
  /** The setting `otlpEndpoint`. */
  readonly endpoint: string
  readonly resource: OtlpResource
  /** Called once for each export. */
  readonly metrics: () => Iterable<Metric>
  /** Counts failed exports by reason. */
  readonly failures: LabelledCounts
  readonly clock: Clock
  readonly log: Logger
}

type ExportResult = OtlpResult | { readonly kind: 'failed'; readonly error: unknown }

const INTERVAL_MS = 60_000
/** The pause after a receiver has refused the requests as such. Another configuration is necessary there. */
const REFUSED_PAUSE_MS = 600_000
const REQUEST_TIMEOUT_MS = 10_000
/** The longest time of `stop`. */
const STOP_MS = 3000
const GZIP_LEVEL = 1
const compress = promisify(gzip)

export class OtlpExporter {
  readonly #options: OtlpExporterOptions
  readonly #url: URL
  readonly #startMs: number
  readonly #ending = new AbortController()
  #timer: Timer | undefined
  #running: Promise<void> | undefined
  #stopped: Promise<void> | undefined
  #result: ExportResult = { kind: 'accepted' }
  #warnedAt = Number.NEGATIVE_INFINITY

  /** Sends the first export after one interval. */
  constructor(options: OtlpExporterOptions) {
    this.#options = options
    this.#url = otlpMetricsUrl(options.endpoint)
    this.#startMs = options.clock.wallTime()
    this.#schedule(INTERVAL_MS)
  }

  /** Sends a last export, and resolves after at most three seconds. Never rejects. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#timer?.cancel()
    const limit = this.#options.clock.after(STOP_MS, () =>
      this.#ending.abort(new Error(`no response within ${STOP_MS} ms at the stop`)),
    )
    await this.#running
    if (this.#result.kind !== 'refused' && !this.#ending.signal.aborted) await this.#export()
    limit.cancel()
  }

  #schedule(delayMs: number): void {
    this.#timer = this.#options.clock.after(delayMs, () => {
      const startedAt = this.#options.clock.now()
      this.#running = this.#export().then(() => {
        this.#running = undefined
        if (this.#stopped !== undefined) return
        const pauseMs = this.#result.kind === 'refused' ? REFUSED_PAUSE_MS : INTERVAL_MS
        this.#schedule(Math.max(0, pauseMs - (this.#options.clock.now() - startedAt)))
      })
    })
  }

  async #export(): Promise<void> {
    const before = this.#result
    try {
      this.#result = await this.#send()
    } catch (error) {
      this.#result = { kind: 'failed', error }
    }
    this.#report(before, this.#result)
  }

  /** Stops at the first request that fails. A later one would only add to the wait. */
  async #send(): Promise<OtlpResult> {
    const { resource, metrics, clock } = this.#options
    const times = { startMs: this.#startMs, nowMs: clock.wallTime() }
    let partial: OtlpResult | undefined
    // Compressed first, so that all requests have values of nearly the same time.
    const bodies: Buffer[] = []
    for (const text of otlpRequests(metrics(), resource, times)) {
      bodies.push(await compress(text, { level: GZIP_LEVEL }))
    }
    for (const body of bodies) {
      const result = await this.#post(body)
      if (result.kind === 'partial') partial ??= result
      else if (result.kind !== 'accepted') return result
    }
    return partial ?? { kind: 'accepted' }
  }

  async #post(body: Buffer): Promise<OtlpResult> {
    const late = new AbortController()
    const limit = this.#options.clock.after(REQUEST_TIMEOUT_MS, () =>
      late.abort(new Error(`no response within ${REQUEST_TIMEOUT_MS} ms`)),
    )
    try {
      return await postOtlp(this.#url, body, AbortSignal.any([late.signal, this.#ending.signal]))
    } finally {
      limit.cancel()
    }
  }

  #report(before: ExportResult, result: ExportResult): void {
    const { failures, log, clock } = this.#options
    const url = this.#url.href
    if (result.kind === 'accepted') {
      if (before.kind !== 'accepted') log.info('the OTLP receiver accepts the metrics again', { url })
      return
    }
    failures.add(result.kind)
    if (result.kind === 'failed') {
      log.error('the metrics for OTLP could not be collected', { err: result.error })
      return
    }
    // A refusal is reported once. Only a person can change it.
    if (result.kind === 'refused' && before.kind === 'refused' && before.status === result.status) return
    if (clock.now() - this.#warnedAt < INTERVAL_MS) return
    this.#warnedAt = clock.now()
    log.warn(...warningOf(result, url))
  }
}

function warningOf(
  result: Exclude<OtlpResult, { kind: 'accepted' }>,
  url: string,
): Parameters<Logger['warn']> {
  if (result.kind === 'unavailable') {
    return ['the OTLP receiver is unavailable', { url, detail: result.detail }]
  }
  if (result.kind === 'partial') {
    return [
      'the OTLP receiver dropped a part of the metrics',
      { url, count: result.count, detail: result.detail },
    ]
  }
  const remedy = `Check otlpEndpoint: it needs a receiver of OTLP over HTTP with JSON, without /v1/metrics. The next attempt is in ${REFUSED_PAUSE_MS / 60_000} min.`
  return ['the OTLP receiver refuses the metrics', { url, detail: `status ${result.status}`, remedy }]
}
