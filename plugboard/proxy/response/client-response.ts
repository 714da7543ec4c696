// One response to the client, independent of the version of HTTP: http1/response.ts and http2/response.ts write it. This class
// decides when the response is written, and checks its length, so that a response of a faulty Telephone that is too short or
// too long never looks complete. A head is held until the end of the event-loop turn in which it arrived, because most
// responses are complete by then and need only one write.
//
//   idle ──hold──▶ held ──end of turn, or more data──▶ streaming ──end──▶ ended

import type { Fields, StreamResponseHead } from '@vera-stack/shared/protocol/streams/stream.ts'
import { holdUntilTurnEnds } from './end-of-turn.ts'
import type { ProxyResponse } from './local-responses.ts'
import type { ResponseFields } from './response-fields.ts'

/**
 * `written`: the caller returns the credit now. `full`: the caller returns it when `drained` is called. `broken`: the response
 * is not valid HTTP.
 */
export type Written = 'written' | 'full' | 'broken'

export interface ResponseOwner {
  /** True when the connection must close after this response. Only HTTP/1 uses it. */
  readonly closeAfter: boolean
  /** Returns the fields of a final response for the client, without framing. Undefined when they are not valid HTTP. */
  responseFields(head: StreamResponseHead): ResponseFields | undefined
  /** Called when the held head could not be written. No byte of the response has been sent. */
  responseBroken(): void
  /** Called after `full`, when the connection can take more bytes. */
  drained(): void
  /** Called after `whenSent`, perhaps before that call returns. */
  sent(): void
}

export abstract class ClientResponse {
  protected owner!: ResponseOwner
  protected state: 'idle' | 'held' | 'streaming' | 'ended' = 'idle'
  protected readonly isHead: boolean
  protected head: StreamResponseHead | undefined
  protected response: ResponseFields | undefined
  /** The first chunk of the body, while the head is held. */
  protected heldBody: Buffer | undefined
  protected bodyless = false
  /** -1 when the head does not state a length. */
  protected contentLength = -1
  /** Bytes of the body that were passed to the connection. */
  bytesOut = 0
  #drainWatched = false

  /** `isHead`: true for the response to a HEAD request. */
  constructor(isHead: boolean) {
    this.isHead = isHead
  }

  /** Sets the owner. Call it once, before any other method. */
  attach(owner: ResponseOwner): void {
    this.owner = owner
  }

  /** The status code; 0 before a head has arrived. */
  get status(): number {
    return this.head?.status ?? 0
  }

  /** True once a part of the head has been sent. From then on, no other response is possible. */
  get started(): boolean {
    return this.state === 'streaming' || this.state === 'ended'
  }

  /** True from `hold` to the end of that event-loop turn, unless more than one chunk of the body or the end has come. */
  get isHeld(): boolean {
    return this.state === 'held'
  }

  /** Holds the final head. Returns false when it is not valid HTTP. */
  hold(head: StreamResponseHead): boolean {
    const response = this.owner.responseFields(head)
    if (response === undefined || head.status < 200 || head.status > 999) return false
    const { status } = head
    this.head = head
    this.response = response
    this.bodyless = this.isHead || status === 204 || status === 205 || status === 304
    this.contentLength = status === 204 ? -1 : status === 205 ? 0 : response.contentLength
    this.state = 'held'
    holdUntilTurnEnds(this)
    return true
  }

  data(chunk: Buffer): Written {
    if (this.bodyless) return 'written'
    this.bytesOut += chunk.length
    if (this.contentLength !== -1 && this.bytesOut > this.contentLength) return 'broken'
    if (this.state === 'held') {
      if (this.heldBody === undefined) {
        this.heldBody = chunk
        return 'written'
      }
      if (!this.start()) return 'broken'
    }
    if (this.write(chunk)) return 'written'
    if (!this.#drainWatched) {
      this.#drainWatched = true
      this.onDrain(() => this.owner.drained())
    }
    return 'full'
  }

  /** Sends the held head at the end of the event-loop turn. */
  flush(): void {
    if (this.state === 'held' && !this.start()) this.owner.responseBroken()
  }

  /** True when the body has the length that the head states. */
  protected get complete(): boolean {
    return this.bodyless || this.contentLength === -1 || this.bytesOut === this.contentLength
  }

  /** Relays a 1xx head (row R5). Returns false when it cannot be relayed; the client does not need it. */
  abstract interim(head: StreamResponseHead): boolean
  /** Ends the response. Returns false when its body is incomplete or its trailers are not valid HTTP. */
  abstract end(trailers: Fields | undefined): boolean
  /** Sends a whole response of Plugboard itself, and drops the held one. Call it only before the response has started. */
  abstract sendLocal(response: ProxyResponse): void
  /** Makes the response call `sent` of the owner when all, or nearly all, of its bytes are passed to the kernel. */
  abstract whenSent(): void
  /** After a complete response: asks the client to stop sending its request. Returns false when that is not possible. */
  abstract stopUpload(): boolean
  /** Aborts the response in a way that the client cannot take for its end. */
  abstract cut(): void
  /** Closes the connection or stream of a client that does not read the response, or does not stop sending. */
  abstract destroy(): void
  /** Drops the unsent bytes of the response, including those that wait behind earlier responses of the connection. */
  abstract giveUpBytes(): void
  /** Writes the held head and changes to `streaming`. Returns false, and writes no byte, when it is not valid HTTP. */
  protected abstract start(): boolean
  /** Writes a chunk of the body, after `start`. Returns false when the buffer of the connection is full. */
  protected abstract write(chunk: Buffer): boolean
  /** Calls `listener` each time the connection can take more bytes. */
  protected abstract onDrain(listener: () => void): void
}
