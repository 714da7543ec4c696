// Sends the requests of one signal to its receiver. Each request has a time limit, and `endAfter` ends all of them.

import type { Agent } from 'node:http'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Clock, Timer } from '../clock.ts'
import { type OtlpResult, postOtlp } from './otlp-post.ts'
import type { OtlpReceiver } from './otlp-settings.ts'

const REQUEST_TIMEOUT_MS = 10_000
const GZIP_LEVEL = 1
const compress = promisify(gzip)

export interface OtlpSenderOptions {
  readonly receiver: OtlpReceiver
  readonly clock: Clock
  /** Keeps connections open between requests. Absent: each request has its own connection. */
  readonly agent?: Agent
}

export class OtlpSender {
  readonly #options: OtlpSenderOptions
  readonly #ending = new AbortController()

  constructor(options: OtlpSenderOptions) {
    this.#options = options
  }

  /** True when no further request is sent. */
  get ended(): boolean {
    return this.#ending.signal.aborted
  }

  /** Returns the body of a request, compressed. */
  pack(json: string | Uint8Array): Promise<Buffer> {
    return compress(json, { level: GZIP_LEVEL })
  }

  /** Resolves with the result. Never rejects. `body`: from `pack`. */
  async post(body: Buffer): Promise<OtlpResult> {
    const { receiver, clock, agent } = this.#options
    const late = new AbortController()
    const limit = clock.after(REQUEST_TIMEOUT_MS, () =>
      late.abort(new Error(`no response within ${REQUEST_TIMEOUT_MS} ms`)),
    )
    try {
      return await postOtlp(receiver, body, AbortSignal.any([late.signal, this.#ending.signal]), agent)
    } finally {
      limit.cancel()
    }
  }

  /** Ends the open request and refuses later ones after `delayMs`, unless the timer is cancelled. */
  endAfter(delayMs: number): Timer {
    return this.#options.clock.after(delayMs, () =>
      this.#ending.abort(new Error(`no response within ${delayMs} ms at the stop`)),
    )
  }
}
