// Logs the results of the requests of one signal: at most one warning a minute, one for each refusal, and one line when the
// receiver works again.

import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { OtlpSignal } from './otlp-endpoint.ts'
import type { OtlpResult } from './otlp-post.ts'

const WARNING_INTERVAL_MS = 60_000

export interface OtlpReportOptions {
  readonly signal: OtlpSignal
  readonly url: URL
  /** The last part of the warning about a refusal: what the program does until a person corrects the cause. */
  readonly afterRefusal: string
  readonly clock: Clock
  readonly log: Logger
}

export class OtlpReport {
  readonly #options: OtlpReportOptions
  #last: OtlpResult = { kind: 'accepted' }
  #warnedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: OtlpReportOptions) {
    this.#options = options
  }

  /** The last result. Before the first one: `accepted`. */
  get last(): OtlpResult {
    return this.#last
  }

  add(result: OtlpResult): void {
    const before = this.#last
    this.#last = result
    const { signal, url, log } = this.#options
    if (result.kind === 'accepted') {
      if (before.kind !== 'accepted')
        log.info(`the OTLP receiver accepts the ${signal} again`, { url: url.href })
      return
    }
    // A refusal is reported once. Only a person can change it.
    if (result.kind === 'refused' && before.kind === 'refused' && before.status === result.status) return
    if (this.mayWarn()) log.warn(...this.#warningOf(result))
  }

  /** Returns true at most once a minute. */
  mayWarn(): boolean {
    const nowMs = this.#options.clock.now()
    if (nowMs - this.#warnedAtMs < WARNING_INTERVAL_MS) return false
    this.#warnedAtMs = nowMs
    return true
  }

  #warningOf(result: Exclude<OtlpResult, { kind: 'accepted' }>): Parameters<Logger['warn']> {
    const { signal, afterRefusal } = this.#options
    const url = this.#options.url.href
    switch (result.kind) {
      case 'unavailable':
        return ['the OTLP receiver is unavailable', { url, detail: result.detail }]
      case 'partial': {
        const { count, detail } = result
        return [`the OTLP receiver dropped a part of the ${signal}`, { url, count, detail }]
      }
      case 'refused': {
        const needs = `a receiver of OTLP over HTTP with JSON, without /v1/${signal}`
        const setting = signal === 'traces' ? 'otlpTracesEndpoint or otlpEndpoint' : 'otlpEndpoint'
        const remedy = `Check otlpHeaders and ${setting}, which needs ${needs}. ${afterRefusal}`
        return [`the OTLP receiver refuses the ${signal}`, { url, detail: `status ${result.status}`, remedy }]
      }
    }
  }
}
