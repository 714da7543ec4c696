// What a client still sends of a request that was answered without it: thrown away, within bounds, before the connection
// goes on. A socket that is closed with bytes unread is reset, and the reset takes the answer along (RFC 9112 section 9.6).

import type { IncomingMessage } from 'node:http'
import type { ClientConnection, InFlight } from './client-connection.ts'
import type { Deadlined } from './deadlines.ts'
import type { ProxyContext } from './proxy-context.ts'

/** What an upload that nobody wants any more may still send, and how long, before its connection is cut. */
export const LINGER_BYTES = 1024 * 1024
export const LINGER_MS = 5000

export class DiscardedBody implements InFlight, Deadlined {
  readonly #context: ProxyContext
  readonly #connection: ClientConnection
  #bytes = 0
  #activeAtMs: number
  deadlineSlot: number | undefined

  constructor(context: ProxyContext, connection: ClientConnection, req: IncomingMessage) {
    this.#context = context
    this.#connection = connection
    this.#activeAtMs = context.clock.now()
    connection.add(this)
    context.deadlines.add(this)
    req.on('data', (chunk: Buffer) => this.#arrived(chunk.length))
    req.on('end', () => this.#leave())
    // The connection tells of that.
    req.on('error', () => undefined)
  }

  clientGone(): void {
    this.#leave()
  }

  /** Its end will not come. The answer is said already; what there is to say of the rest is the connection's. */
  bodyBroke(): boolean {
    this.#leave()
    return false
  }

  checkDeadline(nowMs: number): void {
    if (nowMs - this.#activeAtMs >= LINGER_MS) this.#connection.socket.destroy()
  }

  #arrived(bytes: number): void {
    this.#bytes += bytes
    this.#activeAtMs = this.#context.deadlines.nowMs
    if (this.#bytes > LINGER_BYTES) this.#connection.socket.destroy()
  }

  #leave(): void {
    this.#context.deadlines.delete(this)
    this.#connection.remove(this)
  }
}
