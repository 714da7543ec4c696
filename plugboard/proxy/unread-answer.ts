// An answer of Plugboard's own on a stream of HTTP/2, until its client has taken it. Nothing is in flight for it, and a
// client that gives it no window would keep the stream, and so the connection, for ever.

import type { ServerHttp2Stream } from 'node:http2'
import type { Deadlined } from './deadlines.ts'
import { breakOff } from './http2-answer.ts'
import type { ProxyContext } from './proxy-context.ts'

/** At 64 KiB, the longest that a route answers by itself, whoever reads 220 bytes a second has it by then. */
const UNREAD_MS = 300_000

export class UnreadAnswer implements Deadlined {
  deadlineSlot: number | undefined
  readonly #stream: ServerHttp2Stream
  readonly #saidAtMs: number

  constructor({ clock, deadlines }: ProxyContext, stream: ServerHttp2Stream) {
    this.#stream = stream
    this.#saidAtMs = clock.now()
    deadlines.add(this)
    stream.once('close', () => deadlines.delete(this))
  }

  checkDeadline(nowMs: number): void {
    if (nowMs - this.#saidAtMs >= UNREAD_MS) breakOff(this.#stream)
  }
}
