// The request body of a stream: holds it until there is a stream, checks its length against Content-Length, and ends it
// with or without trailers. HTTP/2 could carry a body with another length than announced. Two hops would then read two
// lengths, so such a body is an error, as for HTTP/1.

import type { ClientHttp2Stream } from 'node:http2'
import type { Fields } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { BackendRequest } from '../backend-exchange.ts'
import { writeTrailers } from './request-fields.ts'

export class Http2RequestBody {
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

  /** True when bytes were written to a stream, so that the request cannot be repeated. */
  get sent(): boolean {
    return this.#sent
  }

  /** True when chunks wait for a stream. */
  get held(): boolean {
    return this.#waiting.length > 0
  }

  /** The error of the body, or undefined. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** Accepts the chunk in every case. Returns false when the caller should wait until the stream has room. */
  write(chunk: Buffer): boolean {
    if (this.#discarded || this.#fault !== undefined) return true
    if (this.#leftBytes !== undefined) {
      this.#leftBytes -= chunk.length
      if (this.#leftBytes < 0) {
        this.#fault = 'The request body is longer than its Content-Length.'
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

  /** Writes the waiting chunks to the stream. Returns true when the stream has room for more. */
  attach(stream: ClientHttp2Stream): boolean {
    this.#stream = stream
    const waiting = this.#waiting
    this.#waiting = []
    let room = true
    for (const chunk of waiting) room = this.#give(stream, chunk)
    if (this.#ended && this.#fault === undefined) stream.end()
    return room
  }

  /** Returns the trailers for Node's `wantTrailers`. Undefined when a trailer is not a valid field. */
  trailers(): Record<string, string[]> | undefined {
    return writeTrailers(this.#trailers)
  }

  /** Drops the waiting chunks and all later ones. */
  discard(): void {
    this.#discarded = true
    this.#waiting = []
  }

  #give(stream: ClientHttp2Stream, chunk: Buffer): boolean {
    // The backend closed the stream. The rest of the body is dropped, and the end of the stream reports the reason.
    if (!stream.writable) return true
    this.#sent = true
    return stream.write(chunk)
  }

  #checkEnd(): void {
    if (this.#leftBytes !== undefined && this.#leftBytes > 0) {
      this.#fault = 'The request body is shorter than its Content-Length.'
    }
  }
}
