// Reports the failures of one backend with few log lines: the first failure, each change of the cause, a count once a
// minute, and the recovery. It keeps one record, independent of the number of requests.
//
//   passing ──failed (report)──▶ failing ──other cause (report), each minute (count)──▶ failing
//      ▲                            │
//      └────succeeded (report)──────┘
//
// A backend that fails and recovers repeatedly causes at most MAX_LINES reports a minute, in addition to the counts.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { BackendFailure } from './backend-failure.ts'

export type FailureReport =
  | {
      readonly kind: 'failing'
      readonly failure: BackendFailure
      /** `first`: after a success. `changed`: the cause changed. `repeated`: once a minute. */
      readonly occasion: 'first' | 'changed' | 'repeated'
      /** Failed requests since the previous report. */
      readonly count: number
    }
  | {
      readonly kind: 'recovered'
      /** Failed requests since the last success that was reported. */
      readonly count: number
      readonly durationMs: number
    }

export interface FailureLogOptions {
  readonly clock: Clock
  readonly report: (report: FailureReport) => void
}

const COUNT_MS = 60_000
const MAX_LINES = 5

export class FailureLog {
  /** True while the last request failed. A caller reads it before `succeeded`, which is then rarely called. */
  failing = false
  readonly #options: FailureLogOptions
  /** The failure of the last report; undefined after a reported recovery. */
  #reported: BackendFailure | undefined
  #latest: BackendFailure | undefined
  #failingSinceMs = 0
  #count = 0
  #unreported = 0
  /** Reports since the timer was started. */
  #lines = 0
  #timer: Timer | undefined

  constructor(options: FailureLogOptions) {
    this.#options = options
  }

  failed(failure: BackendFailure): void {
    this.#timer ??= this.#options.clock.after(COUNT_MS, () => this.#minuteOver())
    this.failing = true
    this.#latest = failure
    if (this.#count === 0) this.#failingSinceMs = this.#options.clock.now()
    this.#count += 1
    this.#unreported += 1
    if (failure.cause === this.#reported?.cause || this.#lines >= MAX_LINES) return
    this.#reportFailure(this.#reported === undefined ? 'first' : 'changed')
  }

  /** Records a complete response. Call it only while `failing`. */
  succeeded(): void {
    this.failing = false
    if (this.#lines < MAX_LINES) this.#reportRecovery()
  }

  /** Reports the failures that are not reported yet, and stops the timer. */
  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#unreported > 0) this.#reportFailure('repeated')
  }

  #minuteOver(): void {
    this.#timer = undefined
    const active = this.#unreported > 0
    if (active) this.#reportFailure('repeated')
    if (!this.failing && this.#reported !== undefined) this.#reportRecovery()
    this.#lines = 0
    if (active) this.#timer = this.#options.clock.after(COUNT_MS, () => this.#minuteOver())
  }

  #reportFailure(occasion: 'first' | 'changed' | 'repeated'): void {
    const failure = this.#latest
    if (failure === undefined) return
    const count = this.#unreported
    this.#unreported = 0
    this.#reported = failure
    this.#lines += 1
    this.#options.report({ kind: 'failing', failure, occasion, count })
  }

  #reportRecovery(): void {
    const count = this.#count
    const durationMs = this.#options.clock.now() - this.#failingSinceMs
    this.#count = 0
    this.#unreported = 0
    this.#reported = undefined
    this.#latest = undefined
    this.#lines += 1
    this.#options.report({ kind: 'recovered', count, durationMs })
  }
}
