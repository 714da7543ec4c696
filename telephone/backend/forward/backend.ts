// What stands behind a service: something that takes a stream. Two kinds exist, an HTTP server reached over a
// socket (http-backend.ts) and a function in this process (handler-backend.ts).

import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { BackendFailure } from '../backend-failure.ts'

export interface Backend {
  /** For people: `http://localhost:3000`. */
  readonly description: string
  /** Takes a stream of kind `http` or `upgrade`. `report` is called once, at its end, when given. */
  open(stream: Stream, opening: Opening, report: Report | undefined): StreamEvents
  /** Lets go of idle connections; exchanges under way go on. */
  close(): void
}

/**
 * One finished exchange: `status` 0 when there was no response head, `code` when it ended early, `failure` when the
 * backend is the cause of that.
 */
export type Report = (status: number, code: string | undefined, failure?: BackendFailure) => void

function fault(event: string): never {
  throw new Error(`${event} on a stream that the other end has opened`)
}

/** `onHead` comes to openers only, and a Telephone opens no stream that could get one here. */
export function neverOpener(): never {
  return fault('onHead')
}

/** Events of a stream that was reset before it began. */
export const REFUSED: StreamEvents = {
  onHead: neverOpener,
  onData: () => undefined,
  onEnd: () => undefined,
  onWritable: () => undefined,
  onAbort: () => undefined,
}
