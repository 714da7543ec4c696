// Tests whether an older process of a telephone still responds after a newer process has taken over its lines. A process
// that responds finishes its streams, and its tunnel stands by until the lines come back. A half-open tunnel would never
// finish a stream, so it is closed, and its requests can be retried on another line before its pings time out.
//
//   echo stream ──any response──▶ the tunnel stays
//        └────────silence───────▶ onSilent

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Session } from '@vera-stack/shared/protocol/session.ts'
import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'

/** Deadline for the response, ms: longer than a slow network path needs, and the longest wait of requests on a dead path. */
const RESPONSE_MS = 1000

const ECHO: Opening = { kind: 'echo', hops: 0, service: '', method: '', target: '', fields: [] }

export class SupersededProbe {
  #timer: Timer | undefined

  /** Starts the probe, unless the session has no open streams. Calls `onSilent` at most once, and never after `cancel`. */
  constructor(session: Session, clock: Clock, onSilent: () => void) {
    if (session.streamCount === 0) return
    this.#timer = clock.after(RESPONSE_MS, onSilent)
    this.#open(session)
  }

  cancel(): void {
    this.#timer?.cancel()
  }

  /** Opens the echo stream. A reset by the peer counts as a response, with any reason. */
  #open(session: Session): void {
    let stream: Stream | undefined
    const responded = (): void => {
      this.cancel()
      // Without the reset, a peer that never ends its response would keep the stream open.
      if (stream?.open) stream.reset('cancelled')
    }
    const events: StreamEvents = {
      onHead: responded,
      onData: responded,
      onEnd: responded,
      onWritable: responded,
      onAbort: error => {
        if (error.remote) responded()
      },
    }
    try {
      stream = session.open(ECHO, events, true)
    } catch (error) {
      if (!(error instanceof TunnelError)) throw error
      // A peer that drains has responded, and ends by itself. Any other reason means that its streams are at the limit.
      if (error.reason === 'draining') responded()
    }
  }
}
