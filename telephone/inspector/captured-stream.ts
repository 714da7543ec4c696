// A stream between a tunnel and a backend whose heads and bytes are captured too. The stream itself stays as it is: the same credit,
// the same order, the same errors.

import type { ExchangeCapture } from '@vera-stack/shared/inspect/exchange-capture.ts'
import type {
  Fields,
  Stream,
  StreamEvents,
  StreamResponseHead,
} from '@vera-stack/shared/protocol/streams/stream.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'

/** Bytes of both bodies. */
export interface CapturedBytes {
  bytesIn: number
  bytesOut: number
}

/** The side of the backend: the response. */
export class CapturedStream implements Stream {
  readonly #stream: Stream
  readonly #bytes: CapturedBytes
  readonly #capture: ExchangeCapture

  constructor(stream: Stream, capture: ExchangeCapture, bytes: CapturedBytes) {
    this.#stream = stream
    this.#capture = capture
    this.#bytes = bytes
  }

  get id(): number {
    return this.#stream.id
  }
  get kind(): Stream['kind'] {
    return this.#stream.kind
  }
  get open(): boolean {
    return this.#stream.open
  }
  get accepted(): boolean {
    return this.#stream.accepted
  }
  get endsWithOpen(): boolean {
    return this.#stream.endsWithOpen === true
  }

  respond(head: StreamResponseHead): void {
    this.#stream.respond(head)
    if (head.status < 200 && head.status !== 101) this.#capture.interim(head)
    else this.#capture.responseHead(head)
  }

  write(chunk: Buffer): boolean {
    this.#bytes.bytesOut += chunk.length
    // Before the write, because the caller may reuse the buffer after it.
    this.#capture.responseData(chunk)
    return this.#stream.write(chunk)
  }

  end(trailers?: Fields): void {
    this.#stream.end(trailers)
    if (trailers !== undefined) this.#capture.responseTrailers(trailers)
  }

  reset(reason: TunnelError['reason'], detail?: string, causeCode?: string): void {
    this.#stream.reset(reason, detail, causeCode)
  }
  consume(bytes: number): void {
    this.#stream.consume(bytes)
  }
  keep(bytes: number): void {
    this.#stream.keep(bytes)
  }
  holdAfterEnd(): void {
    this.#stream.holdAfterEnd()
  }
  release(): void {
    this.#stream.release()
  }
}

/** Returns the events of the side of the tunnel: the request. */
export function capturedEvents(
  events: StreamEvents,
  capture: ExchangeCapture,
  bytes: CapturedBytes,
): StreamEvents {
  return {
    onHead: head => events.onHead(head),
    onData: chunk => {
      bytes.bytesIn += chunk.length
      // Before the event, because the backend may write the chunk and give its memory back.
      capture.requestData(chunk)
      events.onData(chunk)
    },
    onEnd: trailers => {
      if (trailers !== undefined) capture.requestTrailers(trailers)
      events.onEnd(trailers)
    },
    onWritable: () => events.onWritable(),
    onAbort: error => events.onAbort(error),
  }
}
