// What an older process of a telephone gets when a newer one has taken its lines: time for its streams, if it still
// answers. A request that may not be repeated is finished by the process that has it; one on a half-open tunnel,
// where nobody is left to finish anything, is not kept waiting.
//
//   asked (echo) ──any answer──▶ finishing ──no stream left, or grace over──▶ close
//        └──────────silent──────────────────────────────────────────────────▶ close

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { TunnelError } from '@vera-stack/shared/protocol/reason.ts'
import type { Session } from '@vera-stack/shared/protocol/session.ts'
import type { Opening, StreamEvents } from '@vera-stack/shared/protocol/stream.ts'

/** For a sign of life, ms: a slow path is well below, and requests on a dead one wait no longer. */
const ANSWER_MS = 1000
/** For the streams of a process that answers, ms. */
const GRACE_MS = 10_000
/** Between looks whether any is left, ms. A session tells of its own end alone. */
const LOOK_MS = 100

const ECHO: Opening = { kind: 'echo', hops: 0, service: '', method: '', target: '', fields: [] }

export class LastStreams {
  readonly #session: Session
  readonly #clock: Clock
  readonly #close: () => void
  readonly #sinceMs: number
  #alive = false
  #timer: Timer | undefined

  /** `close` is called once, at once when there are no streams; not when the session ends before or by `cancel`. */
  constructor(session: Session, clock: Clock, close: () => void) {
    this.#session = session
    this.#clock = clock
    this.#close = close
    this.#sinceMs = clock.now()
    if (session.streamCount > 0) this.#ask()
    this.#look()
  }

  cancel(): void {
    this.#timer?.cancel()
  }

  #look(): void {
    const { state, streamCount } = this.#session
    if (state === 'closed') return
    const elapsedMs = this.#clock.now() - this.#sinceMs
    if (streamCount === 0 || elapsedMs >= (this.#alive ? GRACE_MS : ANSWER_MS)) {
      this.#close()
      return
    }
    this.#timer = this.#clock.after(LOOK_MS, () => this.#look())
  }

  /** That it does not know the kind, or gives a reason, is an answer too. */
  #ask(): void {
    const answered = (): void => {
      this.#alive = true
    }
    const events: StreamEvents = {
      onHead: answered,
      onData: answered,
      onEnd: answered,
      onWritable: answered,
      onAbort: error => {
        if (error.remote) answered()
      },
    }
    try {
      this.#session.open(ECHO, events, true)
    } catch (error) {
      if (!(error instanceof TunnelError)) throw error
      // It has said that it drains: it was alive, and finishes by itself. Otherwise its streams are at the limit.
      this.#alive = error.reason === 'draining'
    }
  }
}
