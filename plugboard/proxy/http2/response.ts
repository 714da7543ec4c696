// Writes one response as HTTP/2 (RFC 9113 section 8.1). A response that is complete when its head is written ends with the
// head, or states its length.

import { constants, type ServerHttp2Stream, type ServerStreamResponseOptions } from 'node:http2'
import { relayedTrailers } from '@vera-stack/shared/http/headers.ts'
import type { Fields, StreamResponseHead } from '@vera-stack/shared/protocol/streams/stream.ts'
import { ClientResponse } from '../response/client-response.ts'
import type { ProxyResponse } from '../response/local-responses.ts'
import { type ResponseFields, readInterimFields } from '../response/response-fields.ts'
import { http2FieldMap, http2Fields } from './fields.ts'

/** The limit for relayed 1xx responses: the only one for a Telephone that sends them to a client that does not read. */
const MAX_INTERIM = 32

export class Http2Response extends ClientResponse {
  readonly #stream: ServerHttp2Stream
  /** True for an extended CONNECT. Each 2xx would mean that the protocol was switched, so this response must not be a 2xx. */
  readonly #isConnect: boolean
  #trailers: Record<string, string[]> | undefined
  #interims = 0

  constructor(stream: ServerHttp2Stream, method: string) {
    super(method === 'HEAD')
    this.#stream = stream
    this.#isConnect = method === 'CONNECT'
  }

  interim({ status, fields }: StreamResponseHead): boolean {
    if (this.state !== 'idle' || this.#interims === MAX_INTERIM || status === 101) return false
    const relayed = http2FieldMap(status === 100 ? [] : readInterimFields(fields))
    if (relayed === undefined || !this.#writable) return false
    this.#interims += 1
    return sent(() => this.#stream.additionalHeaders({ ':status': status, ...relayed }))
  }

  override hold(head: StreamResponseHead): boolean {
    return !(this.#isConnect && head.status < 300) && super.hold(head)
  }

  end(trailers: Fields | undefined): boolean {
    const relayed = trailers === undefined || this.bodyless ? undefined : relayedTrailers(trailers)
    if (relayed !== undefined) {
      this.#trailers = http2FieldMap(relayed)
      if (this.#trailers === undefined) return false
    }
    const complete = this.state === 'held'
    if (complete && !this.bodyless && this.contentLength === -1 && relayed === undefined) {
      this.contentLength = this.bytesOut
    }
    if (!this.complete) return false
    if (complete && !this.start(this.heldBody === undefined && relayed === undefined, relayed !== undefined))
      return false
    this.state = 'ended'
    if (!this.#stream.writableEnded) this.#stream.end()
    return true
  }

  sendLocal({ status, fields, body }: ProxyResponse): void {
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

  /** Resets the stream without an error (RFC 9113 section 8.1), because the response is complete. */
  stopUpload(): boolean {
    // Node writes heads at the end of the event-loop turn. An earlier RST_STREAM would overtake a response without a body.
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

  /** False once the client has reset the stream. Bytes written after that are lost, and `close` follows. */
  get #writable(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed
  }

  /** `mayTrail`: true when trailers can follow. While the body is incomplete, they always can, even after a stated length. */
  protected start(endsWithHead = false, mayTrail = true): boolean {
    const { status } = this.head as StreamResponseHead
    const response = this.response as ResponseFields
    if (this.contentLength !== -1) response.fields.push('content-length', String(this.contentLength))
    const fields = http2Fields(response.fields)
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

/** Sends a head. Returns false, and writes no byte, when Node refuses it (see `sent`). */
export function respond(
  stream: ServerHttp2Stream,
  status: number,
  fields: readonly string[],
  options: ServerStreamResponseOptions = {},
): boolean {
  return sent(() => stream.respond([':status', String(status), ...fields], options))
}

/**
 * Returns false when Node throws. In addition to the checks of this file, Node refuses a status over 599, and a version of
 * Node without `strictSingleValueFields` (Node 22) refuses repeated fields that RFC 9110 allows only once. Node has no way to
 * check a head before it is sent.
 */
function sent(send: () => void): boolean {
  try {
    send()
    return true
  } catch {
    return false
  }
}

/** Sends RST_STREAM (INTERNAL_ERROR) at once. `close` would end the response first, so it would look complete (row R2). */
export function breakOff(stream: ServerHttp2Stream): void {
  stream.destroy(new Error('broken off'))
}
