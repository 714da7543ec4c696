// One HTTP exchange: the request goes into a stream, and the response comes out of it. `Attempts` opens the stream, and another
// one when an attempt fails. The file has three parts: the request's side, the stream's events, the end. In every case, the
// client gets either one complete response or a visibly broken connection, never an incomplete response that looks complete
// (row R2).
//
//   open ──response complete──▶ ending (its bytes are being sent) ──▶ closed (discarded-body.ts reads the rest)
//     └──── fail, cut, client closed ──────────────────────────────▶ closed

import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import { relayedTrailers, removeFieldsWhere } from '@vera-stack/shared/http/headers.ts'
import type { Fields, Stream, StreamResponseHead } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'
import { Attempts } from '../attempts/attempts.ts'
import type { AttemptsOwner } from '../attempts/attempts-owner.ts'
import {
  clientStoppedFor,
  NOT_FORWARDABLE,
  noResponseWithin,
  responseStoppedFor,
  uploadNotTakenWithin,
} from '../attempts/request-failure.ts'
import type { InFlight, RequestConnection } from '../connections/client-connection.ts'
import { DiscardedBody, endsConnection } from '../connections/discarded-body.ts'
import { countProblem } from '../counters.ts'
import type { Deadlined } from '../deadlines.ts'
import { hasBody, type RoutedRequest } from '../edge/routed-request.ts'
import { BodyRate } from '../policy/body-rate.ts'
import { problemOf } from '../policy/request-policy.ts'
import type { ProxyContext } from '../proxy-context.ts'
import { CLIENT_CLOSED_REQUEST } from '../report/access-log.ts'
import type { ClientResponse, ResponseOwner } from '../response/client-response.ts'
import type { ProxyResponse } from '../response/local-responses.ts'
import { type ResponseFields, readInterimFields } from '../response/response-fields.ts'
import { type BodyOwner, type BodySource, RequestBody } from './request-body.ts'

export class Exchange implements AttemptsOwner, InFlight, Deadlined, ResponseOwner, BodyOwner {
  readonly #context: ProxyContext
  readonly #connection: RequestConnection
  readonly #request: RoutedRequest
  /** The policy of the service at the time when the request arrived. */
  readonly #policy: ServicePolicy
  readonly #attempts: Attempts
  readonly #response: ClientResponse
  readonly #source: BodySource
  /** Undefined when the request has no body, or has not started. */
  #body: RequestBody | undefined
  /** Undefined without a lowest rate, or without a body. */
  #rate: BodyRate | undefined
  #state: 'open' | 'ending' | 'closed' = 'open'
  deadlineSlot: number | undefined
  /** The time of Deadlines at which a byte was sent or received last. */
  #activeAtMs: number
  /** Bytes of the request body that have arrived. */
  #bytesIn = 0
  /** True once a head has arrived, even a 1xx. */
  #responded = false
  /** Bytes of the response whose credit was not yet returned to the stream. */
  #owedBytes = 0
  /** The stream of a complete response, until all of its bytes are sent to the client. */
  #respondedStream: Stream | undefined
  #bodyBroken = false
  #closeAfter = false
  /** True while the client waits for a 100 that has not arrived. It may never send the announced body. */
  #withheld = false

  /** `startedAtMs`: the time of the clock at which the head of the request was complete. */
  constructor(
    context: ProxyContext,
    connection: RequestConnection,
    request: RoutedRequest,
    startedAtMs: number,
    source: BodySource,
    response: ClientResponse,
  ) {
    this.#context = context
    this.#connection = connection
    this.#request = request
    this.#policy = request.route.service.policy
    this.#attempts = new Attempts(context, connection, request, startedAtMs, this)
    this.#source = source
    // Node's parser drops the bytes behind an upgrade that was not granted; the bytes after that must not be read as requests.
    this.#closeAfter = request.upgrade !== ''
    if (this.#closeAfter) connection.closing = true
    this.#withheld = request.expectsContinue
    this.#response = response
    response.attach(this)
    connection.add(this)
    context.deadlines.add(this)
    this.#activeAtMs = context.deadlines.nowMs
  }

  start(): void {
    this.#readBody()
    const { maxRequestBodyBytes } = this.#policy
    if (maxRequestBodyBytes !== null && this.#request.contentLength > maxRequestBodyBytes) {
      this.#fail('payload_too_large')
      return
    }
    this.#attempts.start()
  }

  /** Pauses the request body until `decided` is called. Chunks that still arrive are joined (see PausedBody). */
  suspend(): void {
    if (hasBody(this.#request)) this.#source.pause()
  }

  #readBody(): void {
    if (!hasBody(this.#request)) return
    this.#body = new RequestBody(this.#source, this)
    const { minBodyRateBytes, clock } = this.#context
    if (minBodyRateBytes > 0) this.#rate = new BodyRate(minBodyRateBytes, clock.now())
  }

  /** A retry, and a request that has waited, gets the whole time for its response. */
  opened(stream: Stream, isLater: boolean): void {
    if (isLater) this.#active()
    this.#body?.sendTo(stream)
  }

  hold(): void {
    this.#body?.block()
  }

  /** Replaces `start` after an asynchronous decision. Forwards the request, or sends `response` if it is defined. */
  decided(response: ProxyResponse | undefined): void {
    if (this.#state !== 'open') return
    this.#active()
    this.#attempts.isDelayed = true
    if (response === undefined) {
      this.start()
      return
    }
    this.#readBody()
    this.#respondLocally(response)
  }

  get closeAfter(): boolean {
    if (this.#closeAfter || this.#withheld) return true
    // A request that was pipelined behind this one is at its backend already, so its response has to follow.
    return this.#context.draining && this.#connection.isLast(this)
  }

  /** A final response without a 100 closes the connection (row R4), so no request behind it may be served. */
  refusesNext(): boolean {
    if (this.#withheld) this.#closeAfter = true
    return this.#withheld
  }

  // The request's side

  bodyMoved(chunk: Buffer): boolean {
    if (this.#state !== 'open') return false
    const bytes = chunk.length
    this.#request.capture?.requestData(chunk)
    this.#bytesIn += bytes
    this.#rate?.moved(bytes)
    this.#active()
    const { maxRequestBodyBytes } = this.#policy
    if (maxRequestBodyBytes !== null && this.#bytesIn > maxRequestBodyBytes) {
      this.#fail('payload_too_large')
      return false
    }
    return true
  }

  /** Returns undefined on a route with fields that only Plugboard may send, because a trailer could repeat them. */
  forwardedTrailers(raw: readonly string[]): string[] | undefined {
    this.#request.capture?.requestTrailers(raw)
    const { tenantHeader, rules } = this.#request.route.options
    if (tenantHeader !== null || rules?.access !== undefined || rules?.requestHeaders !== undefined)
      return undefined
    const trailers = relayedTrailers(raw)
    if (trailers === undefined || this.#context.underscoreHeaders === 'pass') return trailers
    removeFieldsWhere(trailers, name => name.includes('_'))
    return trailers.length === 0 ? undefined : trailers
  }

  trailersRefused(code: 'headers_too_large' | 'bad_request'): void {
    this.#fail(code)
  }

  bodyEnded(): void {
    this.#active()
    this.#attempts.bodyEnded()
  }

  onWritable(): void {
    this.#active()
    this.#body?.unblock()
  }

  bodyBroke(error: NodeJS.ErrnoException): boolean {
    // After a complete body, the next request is malformed, not this one. The body can break before the exchange reads it.
    if (!hasBody(this.#request) || (this.#body ?? this.#source).complete) return false
    this.#bodyBroken = true
    // The response is complete without the rest of the body. The connection sends the response to the broken framing.
    if (this.#state !== 'open') return false
    this.#closeAfter = true
    this.#fail(error.code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW' ? 'payload_too_large' : 'bad_request')
    return true
  }

  // The stream's events

  get endsWithHead(): boolean {
    return this.#body === undefined
  }

  get canReplay(): boolean {
    return !this.#responded && (this.#body?.canReplay ?? true)
  }

  get isUploading(): boolean {
    return this.#body !== undefined && !this.#body.ended
  }

  onHead(head: StreamResponseHead): void {
    if (this.#state !== 'open') return
    this.#active()
    this.#responded = true
    if (head.status < 200 && head.status !== 101) {
      if (head.status === 100) {
        // Relayed once, and only to a client that waits for it. There is no other limit for a Telephone that sends 100 again
        // and again to a client that does not read.
        if (!this.#withheld) return
        this.#withheld = false
      }
      const { capture } = this.#request
      if (this.#response.interim(head) && capture !== undefined)
        capture.interim({ ...head, fields: readInterimFields(head.fields) })
      return
    }
    const { mirror } = this.#policy
    const copy =
      mirror === null
        ? undefined
        : this.#context.mirrors.copyOf(mirror, this.#request, this.#attempts.subsetName, this.#body)
    this.#body?.forgetCopy()
    if (!this.#response.hold(head)) this.responseBroken()
    else if (copy !== undefined) this.#context.mirrors.send(copy)
  }

  onData(chunk: Buffer): void {
    if (this.#state !== 'open') return
    this.#active()
    this.#owedBytes += chunk.length
    this.#request.capture?.responseData(chunk)
    switch (this.#response.data(chunk)) {
      case 'written':
        this.#payCredit()
        break
      case 'full':
        break
      case 'broken':
        this.responseBroken()
        break
    }
  }

  onEnd(trailers: Fields | undefined): void {
    if (this.#state !== 'open') return
    this.#endConnection()
    if (trailers !== undefined) this.#request.capture?.responseTrailers(trailers)
    // A complete response that arrives in one turn of the event loop ends at the time of its head.
    const endedAtMs = this.#response.isHeld ? this.#attempts.headAtMs : undefined
    if (!this.#response.end(trailers)) {
      this.responseBroken()
      return
    }
    const stream = this.#attempts.takeStream()
    // The received bytes still count for the stream until a slow client has read them, even though the stream has ended.
    stream?.holdAfterEnd()
    this.#respondedStream = stream
    // Row R3: the response is complete, so the backend does not need the rest of the upload.
    if (stream?.open === true) stream.reset('cancelled')
    this.#ending(this.#response.status, undefined, endedAtMs)
  }

  failed(code: ErrorCode, detail?: string, error?: TunnelError): void {
    const { started } = this.#response
    this.#fail(code, detail)
    if (started && error !== undefined) this.#dropUnread(error)
  }

  circuitOpen(retryAfterSeconds: number): void {
    this.#respondLocally(problemOf(this.#request, 'circuit_open', undefined, retryAfterSeconds))
  }

  takenStreamAborted(error: TunnelError): void {
    this.#dropUnread(error)
  }

  /** Drops the bytes that the client has not read, when they exceed the budget of held bytes of this process. */
  #dropUnread(error: TunnelError): void {
    if (error.reason === 'over_budget' && !error.remote) this.#response.giveUpBytes()
  }

  responseFields(head: StreamResponseHead): ResponseFields | undefined {
    const response = this.#attempts.responseFields(head)
    if (response !== undefined) this.#request.capture?.responseHead({ ...head, ...response })
    return response
  }

  responseBroken(): void {
    this.#attempts.explain('invalid_response', NOT_FORWARDABLE)
    this.#fail('backend_protocol_error')
  }

  drained(): void {
    this.#active()
    this.#payCredit()
  }

  // The end

  checkDeadline(nowMs: number): void {
    this.#attempts.checkDeadline(nowMs)
    if (this.#attempts.isWaiting) this.#active()
    const idleMs = nowMs - this.#activeAtMs
    const { idleTimeoutMs, responseHeadTimeoutMs } = this.#policy
    const uploading = this.isUploading
    const reading = uploading && this.#body?.blocked === false && !this.#withheld
    if (this.#rate?.look(nowMs, reading) === true) {
      this.#closeAfter = true
      this.#fail('request_timeout')
      return
    }
    if (this.#response.status !== 0) {
      if (idleMs >= idleTimeoutMs) this.#stalled(idleTimeoutMs)
    } else if (uploading && !this.#body?.blocked) {
      if (idleMs >= this.#context.bodyIdleTimeoutMs) {
        this.#closeAfter = true
        this.#fail('request_timeout')
      }
    } else if (uploading) {
      if (idleMs >= idleTimeoutMs) this.#attempts.timeOut(uploadNotTakenWithin(idleTimeoutMs))
    } else if (idleMs >= responseHeadTimeoutMs) {
      this.#attempts.timeOut(noResponseWithin(responseHeadTimeoutMs))
    }
  }

  /** Ends a response that has stalled: either the backend stopped sending, or the client stopped reading. */
  #stalled(idleMs: number): void {
    if (this.#owedBytes === 0) {
      this.#attempts.timeOut(responseStoppedFor(idleMs))
      return
    }
    this.#attempts.explain(undefined, clientStoppedFor(idleMs))
    this.#fail('backend_timeout')
  }

  clientClosed(): void {
    if (this.#state === 'closed') return
    if (this.#state === 'open') this.#context.counters.clientAborts += 1
    this.#body?.stop()
    this.#attempts.drop('cancelled')
    this.#finish(this.#response.status || CLIENT_CLOSED_REQUEST, undefined)
    this.#leave()
  }

  /** Responds with a problem. Aborts the response instead when it has started. */
  #fail(code: ErrorCode, detail?: string): void {
    if (this.#state !== 'open') {
      // The response is complete, but the client does not read it.
      this.#response.destroy()
      return
    }
    this.#attempts.drop(code === 'payload_too_large' ? code : 'cancelled')
    if (this.#response.started) {
      this.#cut(code)
      return
    }
    this.#respondLocally(problemOf(this.#request, code, detail))
  }

  #respondLocally(response: ProxyResponse): void {
    const { status, code, body } = response
    this.#request.capture?.localResponse(response, body)
    this.#endConnection()
    this.#response.sendLocal(response)
    if (code !== undefined) countProblem(this.#context.counters, code)
    this.#ending(status, code)
  }

  #cut(code: ErrorCode): void {
    this.#context.counters.truncated += 1
    this.#finish(this.#response.status, code)
    this.#response.cut()
    this.#body?.stop()
    this.#leave()
  }

  /** Ends the exchange after a complete response. The client may still be reading it, or sending its request. */
  #ending(status: number, code: ErrorCode | undefined, endedAtMs?: number): void {
    this.#state = 'ending'
    this.#body?.stop()
    this.#finish(status, code, endedAtMs)
    this.#response.whenSent()
  }

  sent(): void {
    if (this.#state !== 'ending') return
    this.#respondedStream?.release()
    if (this.#uploading && !this.#bodyBroken && !this.#response.stopUpload()) {
      new DiscardedBody(this.#context.discardDeadlines, this.#connection, this.#source)
    }
    this.#leave()
  }

  /** True while a part of the request body is missing. */
  get #uploading(): boolean {
    return this.#body !== undefined && !this.#body.complete
  }

  /** Adds `Connection: close` to the response when a large part of the upload is missing. */
  #endConnection(): void {
    if (!this.#uploading) return
    const { chunked, contentLength } = this.#request
    const bytesLeft = chunked ? Number.POSITIVE_INFINITY : contentLength - this.#bytesIn
    if (endsConnection(bytesLeft)) this.#closeAfter = true
  }

  #leave(): void {
    this.#state = 'closed'
    this.#respondedStream?.release()
    this.#context.deadlines.delete(this)
    this.#connection.remove(this)
  }

  #finish(status: number, code: ErrorCode | undefined, endedAtMs?: number): void {
    this.#attempts.finish(status, this.#bytesIn, this.#response.bytesOut, code, endedAtMs)
  }

  #active(): void {
    this.#activeAtMs = this.#context.deadlines.nowMs
  }

  #payCredit(): void {
    const stream = this.#attempts.stream ?? this.#respondedStream
    stream?.consume(this.#owedBytes)
    this.#owedBytes = 0
  }
}
