// An owner of one stream that records all its events, and detects events in a wrong order: data after the end, two ends, any
// event after an abort (shared/protocol/streams/stream.ts has the rules).

import type {
  Fields,
  Opening,
  Stream,
  StreamEvents,
  StreamResponseHead,
} from '@vera-stack/shared/protocol/streams/stream.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'

export class RecordedStream implements StreamEvents {
  /** Set by the code that opens or accepts the stream. */
  stream!: Stream
  opening: Opening | undefined
  readonly heads: StreamResponseHead[] = []
  readonly chunks: Buffer[] = []
  receivedBytes = 0
  ended = false
  trailers: Fields | undefined
  aborted: TunnelError | undefined
  writableCalls = 0
  /** Violated rules. */
  readonly violations: string[] = []

  get body(): Buffer {
    return Buffer.concat(this.chunks)
  }

  onHead(head: StreamResponseHead): void {
    this.#check('onHead')
    this.heads.push(head)
  }

  onData(chunk: Buffer): void {
    this.#check('onData')
    if (chunk.length === 0) this.violations.push('empty chunk')
    this.receivedBytes += chunk.length
    this.chunks.push(Buffer.from(chunk))
  }

  onEnd(trailers: Fields | undefined): void {
    this.#check('onEnd')
    this.ended = true
    this.trailers = trailers
  }

  onWritable(): void {
    if (this.aborted) this.violations.push('onWritable after onAbort')
    this.writableCalls += 1
  }

  onAbort(error: TunnelError): void {
    if (this.aborted) this.violations.push('a second onAbort')
    this.aborted = error
  }

  #check(call: string): void {
    if (this.aborted) this.violations.push(`${call} after onAbort`)
    else if (this.ended) this.violations.push(`${call} after onEnd`)
  }
}
