// Sends ended spans to a receiver of OTLP, in batches. One request is open at a time. The number of spans in memory is bounded:
// while the receiver is slow or unavailable, further spans are dropped and counted.
//
//   onEnd ──▶ waiting ──▶ batch ──accepted, refused──▶ counted
//     │ full                └─unavailable──▶ the same batch again, after a pause
//     └──────▶ dropped

import type { Agent } from 'node:http'
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace'
import type { Clock, Timer } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { LabelledCounts } from '../metrics/labelled-counts.ts'
import type { OtlpResult } from '../otlp/otlp-post.ts'
import { OtlpReport } from '../otlp/otlp-report.ts'
import { OtlpSender } from '../otlp/otlp-sender.ts'
import type { OtlpReceiver } from '../otlp/otlp-settings.ts'

export interface SpanQueueOptions {
  readonly receiver: OtlpReceiver
  /** Keeps the connection to the receiver open. The queue destroys it at the stop. */
  readonly agent: Agent
  /** Returns the JSON of a request. */
  readonly serialize: (spans: ReadableSpan[]) => Uint8Array
  /** Counts spans by their result. */
  readonly counts: LabelledCounts
  readonly clock: Clock
  readonly log: Logger
}

/** Results of spans. */
const SENT = 'sent'
const QUEUE_FULL = 'queue_full'
/** The receiver accepted the request, but dropped these spans. */
const REJECTED = 'rejected'

export const MAX_WAITING = 2048
/** A batch blocks the event loop while it is written as JSON, so it is small. */
export const BATCH = 256
export const INTERVAL_MS = 1000
const MAX_PAUSE_MS = 60_000
/** The longest time of `stop`. */
const STOP_MS = 3000

export class SpanQueue implements SpanProcessor {
  readonly #options: SpanQueueOptions
  readonly #sender: OtlpSender
  readonly #report: OtlpReport
  #waiting: ReadableSpan[] = []
  /** The spans of the current request, or of the request that will be repeated. */
  #batch: ReadableSpan[] = []
  #body: Buffer | undefined
  #timer: Timer | undefined
  #sending: Promise<void> | undefined
  /** The pause before the next request; 0 while the receiver works. */
  #pauseMs = 0
  #stopped: Promise<void> | undefined

  constructor(options: SpanQueueOptions) {
    const { receiver, agent, clock, log } = options
    this.#options = options
    this.#sender = new OtlpSender({ receiver, clock, agent })
    const afterRefusal = `The next attempt is in ${MAX_PAUSE_MS / 1000} s. Until then, spans wait or are dropped.`
    this.#report = new OtlpReport({ signal: 'traces', url: receiver.url, afterRefusal, clock, log })
  }

  onStart(): void {
    // Only ended spans are queued.
  }

  onEnd(span: ReadableSpan): void {
    if (this.#waiting.length >= MAX_WAITING || this.#stopped !== undefined) {
      this.#drop(1)
      return
    }
    this.#waiting.push(span)
    if (this.#sending !== undefined || this.#pauseMs > 0) return
    if (this.#waiting.length === 1) this.#schedule(INTERVAL_MS)
    else if (this.#waiting.length === BATCH) this.#schedule(0)
  }

  forceFlush(): Promise<void> {
    return this.#sending ?? Promise.resolve()
  }

  /** Sends the waiting spans, and resolves after at most three seconds. Spans that end later are dropped. Never rejects. */
  shutdown(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    const { counts, log, receiver, agent } = this.#options
    this.#timer?.cancel()
    const limit = this.#sender.endAfter(STOP_MS)
    await this.#sending
    const isRefused = this.#report.last.kind === 'refused'
    while (this.#count > 0 && !isRefused && !this.#sender.ended) {
      await this.#send()
      if (this.#report.last.kind === 'unavailable') break
    }
    limit.cancel()
    agent.destroy()
    if (this.#count === 0) return
    counts.add(this.#report.last.kind, this.#count)
    log.warn('spans were dropped at the stop', { url: receiver.url.href, count: this.#count })
  }

  get #count(): number {
    return this.#batch.length + this.#waiting.length
  }

  #drop(count: number): void {
    const { counts, log, receiver } = this.#options
    counts.add(QUEUE_FULL, count)
    // While the receiver is unavailable, OtlpReport warns about that.
    if (this.#pauseMs === 0 && this.#report.mayWarn())
      log.warn('spans are dropped, because the receiver is too slow', { url: receiver.url.href })
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel()
    this.#timer = this.#options.clock.after(delayMs, () => {
      this.#timer = undefined
      if (this.#count === 0) {
        // No span has ended during the pause after a refusal.
        this.#pauseMs = 0
        return
      }
      this.#sending = this.#send().then(() => {
        this.#sending = undefined
        // A pause has a timer also without spans: `onEnd` sets none during a pause.
        if (this.#stopped !== undefined || (this.#count === 0 && this.#pauseMs === 0)) return
        this.#schedule(this.#pauseMs > 0 ? this.#pauseMs : this.#waiting.length >= BATCH ? 0 : INTERVAL_MS)
      })
    })
  }

  /** Sends one batch. Never rejects. */
  async #send(): Promise<void> {
    const { serialize, counts, log } = this.#options
    if (this.#batch.length === 0) this.#batch = this.#waiting.splice(0, BATCH)
    let result: OtlpResult
    try {
      this.#body ??= await this.#sender.pack(serialize(this.#batch))
      result = await this.#sender.post(this.#body)
    } catch (error) {
      log.error('spans could not be written as OTLP', { err: error })
      counts.add('failed', this.#batch.length)
      this.#finishBatch(0)
      return
    }
    this.#report.add(result)
    const { length } = this.#batch
    switch (result.kind) {
      case 'accepted':
        counts.add(SENT, length)
        this.#finishBatch(0)
        break
      case 'partial': {
        const rejected = Math.min(result.count, length)
        counts.add(SENT, length - rejected)
        counts.add(REJECTED, rejected)
        this.#finishBatch(0)
        break
      }
      case 'refused':
        counts.add(result.kind, length)
        this.#finishBatch(MAX_PAUSE_MS)
        break
      case 'unavailable':
        this.#pauseMs = Math.min(MAX_PAUSE_MS, Math.max(INTERVAL_MS, this.#pauseMs * 2))
        break
    }
  }

  #finishBatch(pauseMs: number): void {
    this.#batch = []
    this.#body = undefined
    this.#pauseMs = pauseMs
  }
}
