// The request body on its way to a stream: held until there is one, counted against Content-Length, ended with or
// without trailers. HTTP/2 would carry a body that is shorter or longer than announced; two hops would then disagree
// about it, so it is a fault here as it is for HTTP/1.

import type { ClientHttp2Stream } from 'node:http2'
import type { Fields } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { BackendRequest } from '../backend-exchange.ts'
import { writeTrailers } from './request-fields.ts'

export class RequestBody {
  #stream: ClientHttp2Stream | undefined
  #waiting: Buffer[] = []
  /** Undefined: no length was announced. */
  #leftBytes: number | undefined
  #ended: boolean
  #trailers: Fields | undefined
  #sent = false
  #discarded = false
  #fault: string | undefined

  constructor({ ended, upgrade }: BackendRequest, contentLength: number | undefined) {
    this.#ended = ended
    this.#leftBytes = upgrade ? undefined : contentLength
    if (ended) this.#checkEnd()
  }

  /** Bytes have been given to a stream: the request cannot be repeated. */
  get sent(): boolean {
    return this.#sent
  }

  /** Chunks wait for a stream. */
  get held(): boolean {
    return this.#waiting.length > 0
  }

  /** What is wrong with the body, if anything. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** Takes the chunk, always; false asks to wait until the stream has room. */
  write(chunk: Buffer): boolean {
    if (this.#discarded || this.#fault !== undefined) return true
    if (this.#leftBytes !== undefined) {
      this.#leftBytes -= chunk.length
      if (this.#leftBytes < 0) {
        this.#fault = 'request body longer than its Content-Length'
        return true
      }
    }
    if (this.#stream !== undefined) return this.#give(this.#stream, chunk)
    this.#waiting.push(chunk)
    return false
  }

  end(trailers: Fields | undefined): void {
    if (this.#ended) return
    this.#ended = true
    this.#trailers = trailers
    this.#checkEnd()
    if (this.#fault === undefined && this.#stream?.writable === true) this.#stream.end()
  }

  /** Gives what has waited to the stream. True: it has room for more. */
  attach(stream: ClientHttp2Stream): boolean {
    this.#stream = stream
    const waiting = this.#waiting
    this.#waiting = []
    let room = true
    for (const chunk of waiting) room = this.#give(stream, chunk)
    if (this.#ended && this.#fault === undefined) stream.end()
    return room
  }

  /** For Node's `wantTrailers`; undefined when one is not a field. */
  trailers(): Record<string, string[]> | undefined {
    return writeTrailers(this.#trailers)
  }

  /** Nothing more is wanted of it. */
  discard(): void {
    this.#discarded = true
    this.#waiting = []
  }

  #give(stream: ClientHttp2Stream, chunk: Buffer): boolean {
    // Closed by the backend: what remains goes nowhere, and the stream's end says why.
    if (!stream.writable) return true
    this.#sent = true
    return stream.write(chunk)
  }

  #checkEnd(): void {
    if (this.#leftBytes !== undefined && this.#leftBytes > 0) {
      this.#fault = 'request body shorter than its Content-Length'
    }
  }
}
