// Finds out whether an older process of a telephone still responds when a newer process has taken its lines. A process
// that responds finishes its streams, and its tunnel waits for the lines to come back. On a half-open tunnel no process
// would finish a stream, so the tunnel closes and its requests can be repeated elsewhere before its pings time out.
//
//   echo stream ──any response──▶ the tunnel stays
//        └────────silence───────▶ onSilent

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Session } from '@vera-stack/shared/protocol/session.ts'
import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'

/** For a response, ms: longer than a slow network path takes, and requests on a dead path wait no longer. */
const RESPONSE_MS = 1000

const ECHO: Opening = { kind: 'echo', hops: 0, service: '', method: '', target: '', fields: [] }

export class SupersededProbe {
  #timer: Timer | undefined

  /** Without open streams there is no probe. `onSilent` is called once at most, and not after `cancel`. */
  constructor(session: Session, clock: Clock, onSilent: () => void) {
    if (session.streamCount === 0) return
    this.#timer = clock.after(RESPONSE_MS, onSilent)
    this.#open(session)
  }

  cancel(): void {
    this.#timer?.cancel()
  }

  /** A reset by the peer is a response too: it does not support the kind, or gives another reason. */
  #open(session: Session): void {
    let stream: Stream | undefined
    const responded = (): void => {
      this.cancel()
      // A peer that never ends its response must not keep the stream.
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
      // A peer that drains has responded, and finishes by itself. Otherwise its streams are at the limit.
      if (error.reason === 'draining') responded()
    }
  }
}
