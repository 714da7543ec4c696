// The request's body on its way into the stream, with backpressure, and with a copy of its beginning for as long
// as the request may have to be sent again: up to 64 KiB; past that, or once it is answered, there is no copy. No more
// than these 64 KiB leave before the far end has taken the stream, and what is then at hand is kept until it has.

import { HeadTooLargeError } from '@vera-stack/shared/protocol/outbox.ts'
import type { Stream } from '@vera-stack/shared/protocol/streams/stream.ts'
import { HeadError } from '@vera-stack/shared/protocol/wire/encode.ts'
import { KeptChunks } from './kept-chunks.ts'

const REPLAY_BYTES = 64 * 1024

/** Where a body comes from: http1-body.ts and http2-body.ts are the two ways. */
export interface BodySource {
  on(event: 'data', listener: (chunk: Buffer) => void): unknown
  on(event: 'end', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  /** More has come during a pause. */
  on(event: 'waiting', listener: () => void): unknown
  pause(): unknown
  resume(): unknown
  /** Its last byte has been read, though the event that says so may still be due. */
  readonly complete: boolean
  /** Names and values in turns; when it has ended. */
  readonly rawTrailers: readonly string[]
  /** What has come during a pause. */
  readonly waitingBytes: number
}

export interface BodyOwner {
  /** Bytes have come, before they are sent on. False: they are not wanted. */
  bodyMoved(bytes: number): boolean
  /** All of it has come. */
  bodyEnded(): void
  /** Returns the trailers that may be forwarded; undefined: none. */
  forwardedTrailers(raw: readonly string[]): string[] | undefined
  /** The trailers cannot be sent, because they are malformed or larger than the far end's frames. */
  trailersRefused(code: 'headers_too_large' | 'bad_request'): void
}

export class RequestBody {
  readonly #source: BodySource
  readonly #owner: BodyOwner
  #stream: Stream | undefined
  #kept: KeptChunks | undefined = new KeptChunks()
  #trailers: string[] | undefined
  #discarding = false
  /** All of it has come from the client. */
  ended = false
  /** The stream has no room: the client is not the one to wait for. */
  blocked = false

  constructor(source: BodySource, owner: BodyOwner) {
    this.#source = source
    this.#owner = owner
    source.on('data', (chunk: Buffer) => this.#arrived(chunk))
    source.on('end', () => this.#ended())
    source.on('waiting', () => this.#count())
    // An abort is told by the connection; without a listener Node keeps it to itself, with 'data' it would throw.
    source.on('error', () => this.stop())
    source.resume()
  }

  get canReplay(): boolean {
    return this.#kept !== undefined
  }

  /** Its last byte has been read, though the event that says so may still be due. */
  get complete(): boolean {
    return this.ended || this.#source.complete
  }

  /** Sends what has come so far, then the rest as it comes. */
  sendTo(stream: Stream): void {
    this.#stream = stream
    let room = true
    this.#count()
    for (const chunk of this.#kept?.all() ?? []) room = stream.write(chunk)
    if (this.ended) this.#end(stream)
    else if (!room) this.block()
    else if (this.blocked) this.unblock()
  }

  /** There is an answer: the request will not be sent again. */
  forgetCopy(): void {
    this.#kept = undefined
    this.#count()
  }

  /** Nothing more is taken from the client for now. */
  block(): void {
    this.blocked = true
    this.#source.pause()
    this.#count()
  }

  unblock(): void {
    this.blocked = false
    this.#count()
    this.#source.resume()
  }

  /** No stream takes it any more; what still comes is thrown away. */
  stop(): void {
    this.#stream = undefined
    this.#kept = undefined
    this.#discarding = true
    if (this.blocked) this.unblock()
  }

  #arrived(chunk: Buffer): void {
    if (!this.#owner.bodyMoved(chunk.length) || this.#discarding) return
    if (this.#kept !== undefined) {
      const tooLong = this.#kept.bytes + chunk.length > REPLAY_BYTES
      if (tooLong && this.#stream?.accepted === true) this.#kept = undefined
      else this.#kept.add(chunk)
      this.#count()
    }
    if (this.#stream?.write(chunk) === false) this.block()
  }

  #ended(): void {
    this.ended = true
    const { rawTrailers } = this.#source
    this.#trailers = rawTrailers.length > 0 ? this.#owner.forwardedTrailers(rawTrailers) : undefined
    if (this.#stream !== undefined) this.#end(this.#stream)
    this.#owner.bodyEnded()
  }

  /** What is held here counts against the budget of the telephone that does not take it. */
  #count(): void {
    const keptBytes = this.#kept?.bytes ?? 0
    this.#stream?.keep(keptBytes + (this.blocked ? this.#source.waitingBytes : 0))
  }

  #end(stream: Stream): void {
    try {
      stream.end(this.#trailers)
    } catch (error) {
      if (!(error instanceof HeadError)) throw error
      this.#owner.trailersRefused(error instanceof HeadTooLargeError ? 'headers_too_large' : 'bad_request')
    }
  }
}

/** Of a request without a body. */
export const NO_BODY: BodySource = {
  complete: true,
  rawTrailers: [],
  waitingBytes: 0,
  on: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
}
