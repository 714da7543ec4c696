// A response of Plugboard's own that its client has yet to take. Nothing is in flight for it, so without a deadline a
// client that reads nothing would keep its stream of HTTP/2, or its connection of HTTP/1, without end.

import type { Deadlined } from './deadlines.ts'
import type { ProxyContext } from './proxy-context.ts'

/** A client that reads 220 bytes a second has taken 64 KiB by then, the longest response that a route has of its own. */
export const UNREAD_MS = 300_000

export class UnreadAnswer implements Deadlined {
  deadlineSlot: number | undefined
  readonly #cut: () => void
  readonly #startedAtMs: number

  /** `response`: emits `close` when its last byte has left, or when it never will. `cut`: ends it early. */
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
