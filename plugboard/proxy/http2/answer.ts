// Writes one answer as HTTP/2 (RFC 9113 section 8.1): one that is complete when its head leaves ends with that head, or
// says its length.

import { constants, type ServerHttp2Stream, type ServerStreamResponseOptions } from 'node:http2'
import { relayedTrailers } from '@vera-stack/shared/headers.ts'
import type { AnswerHead, Fields } from '@vera-stack/shared/protocol/streams/stream.ts'
import { type AnswerFields, readInterimFields } from '../response/answer-fields.ts'
import type { ProxyResponse } from '../response/answers.ts'
import { ClientAnswer } from '../response/client-answer.ts'
import { http2FieldMap, http2Fields } from './fields.ts'

/** Interim answers that are relayed: nothing else bounds how many a telephone sends to a client that does not read. */
const MAX_INTERIM = 32

export class Http2Answer extends ClientAnswer {
  readonly #stream: ServerHttp2Stream
  /** To an extended CONNECT, whose 2xx all say what 101 says in HTTP/1.1: this answer has to be another. */
  readonly #isConnect: boolean
  #trailers: Record<string, string[]> | undefined
  #interims = 0

  constructor(stream: ServerHttp2Stream, method: string) {
    super(method === 'HEAD')
    this.#stream = stream
    this.#isConnect = method === 'CONNECT'
  }

  interim({ status, fields }: AnswerHead): boolean {
    if (this.state !== 'idle' || this.#interims === MAX_INTERIM || status === 101) return false
    const relayed = http2FieldMap(status === 100 ? [] : readInterimFields(fields))
    if (relayed === undefined || !this.#writable) return false
    this.#interims += 1
    return sent(() => this.#stream.additionalHeaders({ ':status': status, ...relayed }))
  }

  override hold(head: AnswerHead): boolean {
    return !(this.#isConnect && head.status < 300) && super.hold(head)
  }

  end(trailers: Fields | undefined): boolean {
    const relayed = trailers === undefined || this.bodyless ? undefined : relayedTrailers(trailers)
    if (relayed !== undefined) {
      this.#trailers = http2FieldMap(relayed)
      if (this.#trailers === undefined) return false
    }
    const whole = this.state === 'held'
    if (whole && !this.bodyless && this.contentLength === -1 && relayed === undefined) {
      this.contentLength = this.bytesOut
    }
    if (!this.complete) return false
    if (whole && !this.start(this.heldBody === undefined && relayed === undefined, relayed !== undefined))
      return false
    this.state = 'ended'
    if (!this.#stream.writableEnded) this.#stream.end()
    return true
  }

  say({ status, fields, body }: ProxyResponse): void {
    this.state = 'ended'
    this.heldBody = undefined
    if (!this.#writable) return
    const endStream = this.isHead || body.length === 0
    if (!respond(this.#stream, status, http2Fields(fields) ?? [], { endStream })) breakOff(this.#stream)
    else if (!endStream) this.#stream.end(body)
  }

  whenSent(): void {
    if (this.#stream.writableFinished) this.owner.sent()
    else this.#stream.once('finish', () => this.owner.sent())
  }

  /** RFC 9113 section 8.1: the answer is complete without the rest of the request. */
  stopUpload(): boolean {
    // Node writes heads at the end of the turn: RST_STREAM would overtake an answer that is nothing but a head.
    setImmediate(() => this.#stream.close(constants.NGHTTP2_NO_ERROR))
    return true
  }

  cut(): void {
    breakOff(this.#stream)
  }

  destroy(): void {
    breakOff(this.#stream)
  }

  giveUpBytes(): void {
    breakOff(this.#stream)
  }

  /** False once the client has reset it: what is written then goes nowhere, and its end follows. */
  get #writable(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed
  }

  /** `mayTrail`: trailers may come; while the body is under way nobody knows, whatever length was said. */
  protected start(endsWithHead = false, mayTrail = true): boolean {
    const { status } = this.head as AnswerHead
    const answer = this.answer as AnswerFields
    if (this.contentLength !== -1) answer.fields.push('content-length', String(this.contentLength))
    const fields = http2Fields(answer.fields)
    if (fields === undefined) return false
    if (this.#writable) {
      const endStream = endsWithHead || this.bodyless
      const waitForTrailers = !endStream && mayTrail
      if (!respond(this.#stream, status, fields, { endStream, waitForTrailers })) return false
      if (waitForTrailers) this.#stream.once('wantTrailers', () => this.#sendTrailers())
      if (this.heldBody !== undefined) this.#stream.write(this.heldBody)
    }
    this.state = 'streaming'
    this.heldBody = undefined
    return true
  }

  protected write(chunk: Buffer): boolean {
    return !this.#writable || this.#stream.write(chunk)
  }

  protected onDrain(listener: () => void): void {
    this.#stream.on('drain', listener)
  }

  #sendTrailers(): void {
    if (!sent(() => this.#stream.sendTrailers(this.#trailers ?? {}))) breakOff(this.#stream)
  }
}

/** Sends a head. False: Node does not, see `sent`; nothing was written then. */
export function respond(
  stream: ServerHttp2Stream,
  status: number,
  fields: readonly string[],
  options: ServerStreamResponseOptions = {},
): boolean {
  return sent(() => stream.respond([':status', String(status), ...fields], options))
}

/**
 * False: Node throws. Besides what was checked here it refuses a status past 599 and, before `strictSingleValueFields`
 * (Node 22), fields that come twice although RFC 9110 knows them once; and it does not say beforehand that it will.
 */
function sent(send: () => void): boolean {
  try {
    send()
    return true
  } catch {
    return false
  }
}

/** RST_STREAM (INTERNAL_ERROR) at once. `close` would end the answer first, and it would look complete (row R2). */
export function breakOff(stream: ServerHttp2Stream): void {
  stream.destroy(new Error('broken off'))
}
