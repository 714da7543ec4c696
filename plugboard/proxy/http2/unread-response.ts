// The deadline for a client to read a local response of Plugboard. Such a response has no exchange with a timeout of its own,
// so without this deadline a client that does not read keeps its HTTP/2 stream or HTTP/1 connection forever.

import type { Deadlined } from '../deadlines.ts'
import type { ProxyContext } from '../proxy-context.ts'

/** Enough for a client that reads 220 bytes a second: a route's own response has at most 64 KiB. */
export const UNREAD_MS = 300_000

export class UnreadResponse implements Deadlined {
  deadlineSlot: number | undefined
  readonly #cut: () => void
  readonly #startedAtMs: number

  /** `response`: emits `close` when its last byte was sent, or when it was aborted. `cut`: aborts it. */
  constructor(
    { clock, deadlines }: Pick<ProxyContext, 'clock' | 'deadlines'>,
    response: { once(event: 'close', listener: () => void): unknown },
    cut: () => void,
  ) {
    this.#cut = cut
    this.#startedAtMs = clock.now()
    deadlines.add(this)
    response.once('close', () => deadlines.delete(this))
  }

  checkDeadline(nowMs: number): void {
    if (nowMs - this.#startedAtMs >= UNREAD_MS) this.#cut()
  }
}
