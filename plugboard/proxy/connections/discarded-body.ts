// The rest of a request body whose request has its response already: Plugboard reads and discards it, up to a
// deadline (discard-deadline.ts). When the body ends in time, the connection can carry the next request, unless the
// response has announced the end of the connection. HTTP/1 only: HTTP/2 resets the stream instead.

import type { ServerResponse } from 'node:http'
import type { Deadlines } from '../deadlines.ts'
import type { BodySource } from '../exchange/request-body.ts'
import type { InFlight, RequestConnection } from './client-connection.ts'
import { DiscardDeadline } from './discard-deadline.ts'

/**
 * The largest rest of an upload that is read to keep the connection: about the size of the kernel's buffers. With more
 * to come, the response announces the end of the connection, so that the client can stop sending.
 */
const KEPT_CONNECTION_BYTES = 64 * 1024

/** True when a response must close its connection, because so many bytes of the request body are still missing. */
export function endsConnection(bytesLeft: number): boolean {
  return bytesLeft > KEPT_CONNECTION_BYTES
}

export class DiscardedBody implements InFlight {
  readonly #connection: RequestConnection
  readonly #source: BodySource
  #deadline: DiscardDeadline | undefined
  #over = false

  /** `response`: absent when it has been sent already. Otherwise reading starts when its turn on the connection comes. */
  constructor(
    deadlines: Deadlines,
    connection: RequestConnection,
    source: BodySource,
    response?: ServerResponse,
  ) {
    this.#connection = connection
    this.#source = source
    connection.add(this)
    connection.expectUnread()
    if (response === undefined || response.socket !== null) {
      this.#read(deadlines)
      return
    }
    source.pause()
    response.once('socket', () => this.#read(deadlines))
  }

  clientClosed(): void {
    this.#leave()
  }

  /** Returns false: the response to this request has been sent, so the connection sends the response to the broken framing. */
  bodyBroke(): boolean {
    this.#leave()
    return false
  }

  #read(deadlines: Deadlines): void {
    if (this.#over) return
    const deadline = new DiscardDeadline(deadlines, () => this.#connection.socket.destroy())
    this.#deadline = deadline
    this.#source.on('data', () => deadline.moved())
    this.#source.on('end', () => this.#leave())
    // The connection reports the error. Without a listener it would be thrown.
    this.#source.on('error', () => undefined)
    this.#source.resume()
  }

  #leave(): void {
    this.#over = true
    this.#deadline?.stop()
    this.#connection.remove(this)
  }
}
