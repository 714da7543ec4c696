// Sends a captured request to its backend again, as if a tunnel had opened a stream for it. The response goes to the inspector only. A
// replay has a time limit, and a limit for the bytes of its response.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { CapturedExchange } from '@vera-stack/shared/inspect/captured-exchange.ts'
import type { ReplayedRequest } from '@vera-stack/shared/inspect/replay/replayed-request.ts'
import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'

/** A longer replay is cancelled. Its exchange keeps the part of the response that has arrived. */
const TIMEOUT_MS = 30_000
const MAX_RESPONSE_BYTES = 16 * 1024 * 1024
/** The field that names the exchange to the backend, as in replays of Plugboard. */
const REPLAY_FIELD = 'Plugboard-Replay'

export class LocalReplay {
  readonly opening: Opening
  readonly stream: Stream
  readonly #body: Buffer | undefined
  readonly #clock: Clock
  #timer: Timer | undefined
  #events: StreamEvents | undefined
  #isOpen = true
  #bytes = 0

  constructor(
    { method, target, host, fields, body }: ReplayedRequest,
    original: CapturedExchange,
    clock: Clock,
  ) {
    this.#body = body
    this.#clock = clock
    const length = body === undefined ? [] : ['Content-Length', String(body.length)]
    this.opening = {
      kind: 'http',
      hops: 0,
      service: original.serviceId,
      method,
      target,
      fields: ['Host', host, ...fields, ...length, REPLAY_FIELD, original.id],
      client: original.request.remoteAddress,
    }
    this.stream = this.#newStream()
  }

  /** `events`: those of the stream, from the backend. */
  run(events: StreamEvents): void {
    this.#events = events
    this.#timer = this.#clock.after(TIMEOUT_MS, () => this.cancel())
    if (this.#body !== undefined) events.onData(this.#body)
    events.onEnd(undefined)
  }

  /** Ends the exchange at the backend. */
  cancel(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#events?.onAbort(new TunnelError('cancelled'))
  }

  /** Frees the timer. */
  close(): void {
    this.#timer?.cancel()
  }

  #newStream(): Stream {
    const replay = this
    return {
      id: 0,
      kind: 'http',
      accepted: true,
      get open() {
        return replay.#isOpen
      },
      respond: () => undefined,
      write: chunk => {
        this.#bytes += chunk.length
        // In a later turn, because the backend is about to read further bytes.
        if (this.#bytes > MAX_RESPONSE_BYTES) setImmediate(() => this.cancel())
        return true
      },
      end: () => {
        this.#isOpen = false
      },
      reset: () => {
        this.#isOpen = false
      },
      consume: () => undefined,
      keep: () => undefined,
      holdAfterEnd: () => undefined,
      release: () => undefined,
    }
  }
}
