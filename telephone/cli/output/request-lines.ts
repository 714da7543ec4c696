// Writes one line for each request to the terminal of `telephone http`: method, path, status, duration, and the cause of a failure.
// The program waits while the terminal accepts a line, so above a rate it writes a count instead.

import { styleText } from 'node:util'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import { printable } from '@vera-stack/shared/text/printable.ts'
import type { ExchangeSummary } from '../../events.ts'

export interface RequestLinesOptions {
  readonly out: (line: string) => void
  readonly colours: boolean
  readonly clock: Clock
  /** Lines within one second. Further requests are only counted. Infinity: each request has a line. */
  readonly maxPerSecond: number
}

/** A person cannot read more lines, and a terminal may need a millisecond for each. */
export const TERMINAL_LINES_PER_SECOND = 20
const WINDOW_MS = 1000

export class RequestLines {
  readonly #options: RequestLinesOptions
  #timer: Timer | undefined
  /** Lines in the current second. */
  #lines = 0
  #uncounted = { requests: 0, failed: 0 }

  constructor(options: RequestLinesOptions) {
    this.#options = options
  }

  show(exchange: ExchangeSummary): void {
    this.#timer ??= this.#options.clock.after(WINDOW_MS, () => this.flush())
    if (this.#lines >= this.#options.maxPerSecond) {
      this.#uncounted.requests += 1
      if (isFailed(exchange)) this.#uncounted.failed += 1
      return
    }
    this.#lines += 1
    this.#options.out(lineOf(exchange, this.#options.colours))
  }

  /** Writes the count of requests without a line, and begins a new second. */
  flush(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#lines = 0
    const { requests, failed } = this.#uncounted
    if (requests === 0) return
    this.#uncounted = { requests: 0, failed: 0 }
    const failures = failed === 0 ? '' : `, ${failed} of them failed`
    this.#options.out(`  … ${requests} more ${requests === 1 ? 'request' : 'requests'}${failures}`)
  }
}

function lineOf(exchange: ExchangeSummary, colours: boolean): string {
  const { method, status, code, failure, durationMs } = exchange
  const path = cutText(exchange.path)
  const words = [...(status === 0 ? [] : [String(status)]), ...(code === undefined ? [] : [code])]
  const cause = failure === undefined ? '' : ` (${failure.cause})`
  const end = printable(`${words.join(' ')}${cause}`)
  const painted = colours ? styleText(colourOf(exchange), end, { validateStream: false }) : end
  return `  ${printable(`${method} ${path}`)} ${painted} ${Math.round(durationMs)} ms`
}

/** True for a request without a complete response, and for a response of 500 or more. */
function isFailed({ status, code }: ExchangeSummary): boolean {
  return code !== undefined || status >= 500
}

function colourOf(exchange: ExchangeSummary): 'green' | 'yellow' | 'red' {
  if (isFailed(exchange)) return 'red'
  return exchange.status >= 400 ? 'yellow' : 'green'
}
