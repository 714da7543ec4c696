// Sends the body of a request into the stream, with backpressure. Keeps a copy of its first 64 KiB for a retry, until more
// bytes arrive or a response starts. At most these 64 KiB are sent before the far end has accepted the stream; until then, the
// copy is kept.

import { HeadTooLargeError } from '@vera-stack/shared/protocol/outbox.ts'
import type { Stream } from '@vera-stack/shared/protocol/streams/stream.ts'
import { HeadError } from '@vera-stack/shared/protocol/wire/encode.ts'
import type { CompleteBody } from '../mirror/mirrored-request.ts'
import { KeptChunks } from './kept-chunks.ts'

const REPLAY_BYTES = 64 * 1024

/** The source of a body, implemented in http1/body.ts and http2/body.ts. */
export interface BodySource {
  on(event: 'data', listener: (chunk: Buffer) => void): unknown
  on(event: 'end', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  /** Emitted when more bytes have arrived during a pause. */
  on(event: 'waiting', listener: () => void): unknown
  pause(): unknown
  resume(): unknown
  /** True once the last byte was read. The event `end` may follow later. */
  readonly complete: boolean
  /** Names and values, alternating. Complete when the body has ended. */
  readonly rawTrailers: readonly string[]
  /** Bytes that have arrived during a pause. */
  readonly waitingBytes: number
}

export interface BodyOwner {
  /** Called when bytes have arrived, before they are forwarded. Returns false to discard them. */
  bodyMoved(chunk: Buffer): boolean
  /** Called when the whole body has arrived. */
  bodyEnded(): void
  /** Returns the trailers to forward; undefined when there are no such trailers. */
  forwardedTrailers(raw: readonly string[]): string[] | undefined
  /** Called when the trailers cannot be sent, because they are malformed or larger than the far end's frames. */
  trailersRefused(code: 'headers_too_large' | 'bad_request'): void
}

export class RequestBody {
  readonly #source: BodySource
  readonly #owner: BodyOwner
  #stream: Stream | undefined
  #kept: KeptChunks | undefined = new KeptChunks()
  #trailers: string[] | undefined
  #discarding = false
  /** True once the whole body has arrived from the client. */
  ended = false
  /** True while the stream takes no more bytes. The client is then not the cause of a delay. */
  blocked = false

  constructor(source: BodySource, owner: BodyOwner) {
    this.#source = source
    this.#owner = owner
    source.on('data', (chunk: Buffer) => this.#arrived(chunk))
    source.on('end', () => this.#ended())
    source.on('waiting', () => this.#count())
    // The connection reports an aborted body. Without a listener for 'error', Node would throw it.
    source.on('error', () => this.stop())
    source.resume()
  }

  get canReplay(): boolean {
    return this.#kept !== undefined
  }

  /** True once the last byte was read. The event `end` may follow later. */
  get complete(): boolean {
    return this.ended || this.#source.complete
  }

  /** Returns the body when it is complete, still kept, and not longer than `maxBytes`. */
  keptBody(maxBytes: number): CompleteBody | undefined {
    if (!this.ended || this.#kept === undefined || this.#kept.bytes > maxBytes) return undefined
    return { chunks: this.#kept.all(), trailers: this.#trailers }
  }

  /** Sends the bytes that have arrived so far, then the rest as it arrives. */
  sendTo(stream: Stream): void {
    this.#stream = stream
    let room = true
    this.#count()
    for (const chunk of this.#kept?.all() ?? []) room = stream.write(chunk)
    if (this.ended) this.#end(stream)
    else if (!room) this.block()
    else if (this.blocked) this.unblock()
  }

  /** Drops the copy. Call when a response has started, because the request is not retried after that. */
  forgetCopy(): void {
    this.#kept = undefined
    this.#count()
  }

  /** Stops reading from the client until `unblock` is called. */
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

  /** Stops forwarding. Bytes that still arrive are discarded. */
  stop(): void {
    this.#stream = undefined
    this.#kept = undefined
    this.#discarding = true
    if (this.blocked) this.unblock()
  }

  #arrived(chunk: Buffer): void {
    if (!this.#owner.bodyMoved(chunk) || this.#discarding) return
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

  /** Counts the kept bytes for the memory budget of the stream's Telephone, because it does not accept them. */
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

/** The source for a request without a body. */
export const NO_BODY: BodySource = {
  complete: true,
  rawTrailers: [],
  waitingBytes: 0,
  on: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
}
