// The stream of one copy: sends the whole request, and drops the response. It ends with the response, with an error, or at its
// deadline. It is never retried.
//
//   open ──onEnd, onAbort, deadline, cancel──▶ ended (reported once)

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Stream, StreamEvents, StreamResponseHead } from '@vera-stack/shared/protocol/streams/stream.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { Candidate } from '../../telephones/pools/line-pool.ts'
import { type MirroredRequest, mirroredOpening } from './mirrored-request.ts'

/** `cancelled`: Plugboard drains, or the rest of a long response is not read. */
export type MirrorResult =
  | { readonly kind: 'responded' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'failed'; readonly code: string; readonly detail?: string; readonly err?: unknown }

export interface MirrorStreamOptions {
  readonly clock: Clock
  readonly copy: MirroredRequest
  readonly line: Candidate
  /** Called once, when the copy has ended. */
  readonly onEnd: (result: MirrorResult) => void
}

export class MirrorStream implements StreamEvents {
  readonly #options: MirrorStreamOptions
  #stream: Stream | undefined
  #timer: Timer | undefined
  /** The status of the response; 0 before its final head has arrived. */
  #status = 0
  #ended = false

  constructor(options: MirrorStreamOptions) {
    this.#options = options
  }

  /** Sends the copy. */
  start(): void {
    const { clock, copy, line } = this.#options
    const { request, body } = copy
    const timeoutMs = request.route.service.policy.responseHeadTimeoutMs
    this.#timer = clock.after(timeoutMs, () => this.#elapsed(timeoutMs))
    try {
      const stream = line.upstream.open(mirroredOpening(copy, line.line.service), this, body === undefined)
      this.#stream = stream
      for (const chunk of body?.chunks ?? []) stream.write(chunk)
      if (body !== undefined) stream.end(body.trailers)
    } catch (error) {
      this.#stream?.reset('cancelled')
      const code = error instanceof TunnelError ? error.reason : 'internal_error'
      this.#end({ kind: 'failed', code, err: error })
    }
  }

  cancel(): void {
    this.#stream?.reset('cancelled')
    this.#end({ kind: 'cancelled' })
  }

  onHead({ status }: StreamResponseHead): void {
    if (status >= 200) this.#status = status
  }

  onData(chunk: Buffer): void {
    this.#stream?.consume(chunk.length)
  }

  onEnd(): void {
    // The backend has responded without the rest of the request.
    this.#stream?.reset('cancelled')
    const detail = `The response has the status ${this.#status}.`
    if (this.#status >= 500) this.#end({ kind: 'failed', code: `status_${this.#status}`, detail })
    else this.#end({ kind: 'responded' })
  }

  onWritable(): void {
    // The whole request has been written. The stream sends it as the far end grants credit.
  }

  onAbort({ reason, detail }: TunnelError): void {
    this.#end({ kind: 'failed', code: reason, detail })
  }

  /** A response that has begun in time is no failure: its rest is not needed. */
  #elapsed(timeoutMs: number): void {
    this.#timer = undefined
    if (this.#status > 0 && this.#status < 500) {
      this.cancel()
      return
    }
    const detail = `No complete response arrived in ${timeoutMs / 1000} s (responseHeadTimeoutMs of the service).`
    this.#stream?.reset('backend_timeout', detail)
    this.#end({ kind: 'failed', code: 'backend_timeout', detail })
  }

  #end(result: MirrorResult): void {
    if (this.#ended) return
    this.#ended = true
    this.#stream = undefined
    this.#timer?.cancel()
    this.#timer = undefined
    this.#options.onEnd(result)
  }
}
