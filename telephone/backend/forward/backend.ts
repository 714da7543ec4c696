// The interface of a backend: it accepts streams of a service. Two kinds exist: an HTTP server behind a socket
// (http-backend.ts) and a function in this process (handler-backend.ts).

import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { BackendFailure } from '../backend-failure.ts'

export interface Backend {
  /** Name of the backend in messages: `http://localhost:3000`. */
  readonly description: string
  /** Accepts a stream of kind `http` or `upgrade`. Calls `report.ended` once, at the end of the stream. */
  open(stream: Stream, opening: Opening, report: Report | undefined): StreamEvents
  /** Closes idle connections. Open exchanges continue. */
  close(): void
}

/** Receives the results of one stream. */
export interface Report {
  /** Called with the final head of the response. `backendUs`: time of the backend until it, microseconds. */
  responded(backendUs: number): void
  ended: EndReport
}

/**
 * Receives a finished exchange. `status` is 0 without a response head. `code` is the reason of an early end. `failure` is
 * set when the backend caused the early end.
 */
type EndReport = (status: number, code: string | undefined, failure?: BackendFailure) => void

function fault(event: string): never {
  throw new Error(`${event} on a stream that the other end has opened`)
}

/** Throws, because only openers get `onHead` and a Telephone does not open streams here. */
export function neverOpener(): never {
  return fault('onHead')
}

/** Events of a stream that was reset before it started. */
export const REFUSED: StreamEvents = {
  onHead: neverOpener,
  onData: () => undefined,
  onEnd: () => undefined,
  onWritable: () => undefined,
  onAbort: () => undefined,
}
