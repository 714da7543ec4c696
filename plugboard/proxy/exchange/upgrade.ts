// One upgraded connection: a WebSocket, or any other protocol that starts as HTTP/1.1. No bytes are tunnelled before the
// backend's 101 (row U1); earlier bytes of the client are held, up to a limit (U3). After the 101, bytes are relayed unchanged,
// and each direction ends separately (U4). Any other response is plain HTTP, and the last one on the connection.
//
//   asking ──101──▶ relaying ──both halves ended, cut or idle──▶ closed
//     └────other response──▶ answering ──complete──────────────▶ closed

import type { Duplex } from 'node:stream'
import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import type { Fields, Stream, StreamResponseHead } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'
import { Attempts } from '../attempts/attempts.ts'
import type { AttemptsOwner } from '../attempts/attempts-owner.ts'
import { NOT_FORWARDABLE, noResponseWithin } from '../attempts/request-failure.ts'
import type { ClientConnection, InFlight } from '../connections/client-connection.ts'
import { countProblem } from '../counters.ts'
import type { Deadlined } from '../deadlines.ts'
import type { RoutedRequest } from '../edge/routed-request.ts'
import { problemOf } from '../policy/request-policy.ts'
import type { ProxyContext } from '../proxy-context.ts'
import { CLIENT_CLOSED_REQUEST } from '../report/access-log.ts'
import type { ClientResponse, ResponseOwner } from '../response/client-response.ts'
import type { ProxyResponse } from '../response/local-responses.ts'
import type { ResponseFields } from '../response/response-fields.ts'
import { KeptChunks } from './kept-chunks.ts'

/** Bytes that a client may send before the 101. With more, Plugboard stops reading from the client. */
const EARLY_BYTES = 64 * 1024

/** The client's side, implemented in http1/upgraded-client.ts and http2/upgraded-client.ts. */
export interface UpgradeSide {
  /** Carries the bytes, in both directions. */
  readonly bytes: Duplex
  /** Stops reading from the client. `onWaiting`, if set, is called when more bytes still arrive. */
  pause(): void
  resume(): void
  onWaiting: (() => void) | undefined
  /** Bytes that have arrived during a pause. */
  readonly waitingBytes: number
  /** Sends the 101 or 200 to the client. Returns false when the backend's head is invalid or names another protocol. */
  accept(response: ResponseFields): boolean
  /** Replaces `accept` for any other response. Further bytes of the client are discarded. */
  respond(): ClientResponse
  /** Aborts the connection in a way that the client cannot take for an orderly end. */
  cut(): void
  /** Closes the client's side. */
  destroy(): void
}

export class Upgrade implements AttemptsOwner, InFlight, Deadlined, ResponseOwner {
  readonly #context: ProxyContext
  readonly #connection: ClientConnection
  readonly #request: RoutedRequest
  /** The policy of the service at the time when the request arrived. */
  readonly #policy: ServicePolicy
  readonly #attempts: Attempts
  readonly #side: UpgradeSide
  readonly #bytes: Duplex
  #state: 'asking' | 'answering' | 'relaying' | 'closed' = 'asking'
  /** Bytes of the client that arrived before the 101. */
  #early = new KeptChunks()
  #response: ClientResponse | undefined
  deadlineSlot: number | undefined
  /** The time of Deadlines at which a byte was sent or received last. */
  #activeAtMs: number
  #owedBytes = 0
  #bytesIn = 0
  #bytesOut = 0
  #code: ErrorCode | undefined

  readonly closeAfter = true

  /** `startedAtMs`: the time of the clock at which the head of the request was complete. */
  constructor(
    context: ProxyContext,
    connection: ClientConnection,
    request: RoutedRequest,
    startedAtMs: number,
    side: UpgradeSide,
  ) {
    this.#context = context
    this.#connection = connection
    this.#request = request
    this.#policy = request.route.service.policy
    this.#attempts = new Attempts(context, connection, request, startedAtMs, this)
    this.#side = side
    this.#bytes = side.bytes
    side.onWaiting = () => this.#count()
    connection.add(this)
    context.deadlines.add(this)
    this.#activeAtMs = context.deadlines.nowMs
  }

  /** Forwards the request. `early`: bytes that have already arrived behind the request. */
  start(early?: Buffer): void {
    if (early !== undefined && early.length > 0) this.#hold(early)
    this.#bytes.on('data', (chunk: Buffer) => this.#arrived(chunk))
    this.#bytes.on('end', () => this.#clientHalfClosed())
    this.#bytes.on('drain', () => this.#payCredit())
    if (this.#early.bytes < EARLY_BYTES) this.#side.resume()
    this.#attempts.start()
  }

  /** Stops reading from the client until `decided` is called. */
  suspend(): void {
    this.#side.pause()
  }

  /**
   * Sends no bytes, because early bytes of the client wait for the 101. A retry, and a request that has waited, gets the whole
   * time for its response.
   */
  opened(_stream: Stream, isLater: boolean): void {
    if (isLater) this.#active()
    this.#count()
  }

  hold(): void {
    // Early bytes are always held, up to a limit.
  }

  /** Replaces `start` after an asynchronous decision. Forwards the request, or sends `response` if it is defined. */
  decided(response: ProxyResponse | undefined, early?: Buffer): void {
    if (this.#state !== 'asking') return
    this.#attempts.isDelayed = true
    if (response === undefined) this.start(early)
    else this.#respondLocally(response)
  }

  // The client's side

  #arrived(chunk: Buffer): void {
    if (this.#state === 'asking') {
      this.#hold(chunk)
      return
    }
    if (this.#state !== 'relaying') return
    this.#active()
    this.#bytesIn += chunk.length
    if (this.#attempts.stream?.write(chunk) === false) this.#side.pause()
  }

  #hold(chunk: Buffer): void {
    this.#early.add(chunk)
    this.#count()
    if (this.#early.bytes >= EARLY_BYTES) this.#side.pause()
  }

  #clientHalfClosed(): void {
    // An HTTP/2 stream emits `end` even after a reset. Its `close` follows and is handled instead.
    if (this.#bytes.closed) return
    // Before the 101, a client that ends its side has cancelled the request.
    if (this.#state !== 'relaying') this.#side.destroy()
    else this.#attempts.stream?.end()
  }

  onWritable(): void {
    this.#active()
    this.#side.resume()
    this.#count()
  }

  bodyBroke(): boolean {
    return false
  }

  // The stream's events

  readonly endsWithHead = false

  readonly isUploading = false

  get canReplay(): boolean {
    return this.#state === 'asking'
  }

  onHead(head: StreamResponseHead): void {
    this.#active()
    if (this.#state !== 'asking') return
    if (head.status === 101) this.#switch(head)
    else if (head.status >= 200) this.#relayResponse(head)
  }

  onData(chunk: Buffer): void {
    this.#active()
    if (this.#state === 'relaying') {
      this.#bytesOut += chunk.length
      this.#owedBytes += chunk.length
      if (this.#bytes.write(chunk)) this.#payCredit()
    } else if (this.#state === 'answering') {
      this.#owedBytes += chunk.length
      this.#request.capture?.responseData(chunk)
      const written = this.#response?.data(chunk)
      if (written === 'written') this.#payCredit()
      else if (written === 'broken') this.responseBroken()
    }
  }

  onEnd(trailers: Fields | undefined): void {
    this.#active()
    // The received bytes still count for the stream until a slow client has read them, even when both halves have ended.
    this.#attempts.stream?.holdAfterEnd()
    if (this.#state === 'relaying') {
      this.#bytes.end()
    } else if (this.#state === 'answering' && this.#response !== undefined) {
      if (this.#response.end(trailers)) this.#response.whenSent()
      else this.responseBroken()
    }
  }

  circuitOpen(retryAfterSeconds: number): void {
    this.#respondLocally(problemOf(this.#request, 'circuit_open', undefined, retryAfterSeconds))
  }

  failed(code: ErrorCode, detail?: string): void {
    this.#fail(code, detail)
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
    this.#payCredit()
  }

  /** The response is sent. The connection, or the HTTP/2 stream, still waits for the end of the client's side. */
  sent(): void {
    if (this.#state === 'answering') this.#leave(this.#response?.status ?? 0)
  }

  // The end

  checkDeadline(nowMs: number): void {
    this.#attempts.checkDeadline(nowMs)
    if (this.#attempts.isWaiting) this.#active()
    const idleMs = nowMs - this.#activeAtMs
    if (this.#state === 'asking' && idleMs >= this.#policy.responseHeadTimeoutMs) {
      this.#attempts.timeOut(noResponseWithin(this.#policy.responseHeadTimeoutMs))
    }
    if (this.#state === 'answering' && idleMs >= this.#policy.idleTimeoutMs) this.#side.destroy()
    if (this.#state === 'relaying' && idleMs >= this.#policy.upgradeIdleTimeoutMs) {
      this.#code = 'backend_timeout'
      this.#attempts.drop('idle_timeout')
      this.#side.destroy()
    }
  }

  /** Handles the close of the client's side, by the client or by Plugboard. */
  clientClosed(): void {
    if (this.#state === 'closed') return
    const status = this.#state === 'relaying' ? 101 : this.#response?.status || CLIENT_CLOSED_REQUEST
    if (this.#state === 'asking') this.#context.counters.clientAborts += 1
    this.#leave(status)
  }

  #switch(head: StreamResponseHead): void {
    const response = this.responseFields(head)
    if (response === undefined || !this.#side.accept(response)) {
      this.responseBroken()
      return
    }
    this.#state = 'relaying'
    this.#context.counters.upgrades += 1
    let room = true
    for (const chunk of this.#early.all()) {
      this.#bytesIn += chunk.length
      room = this.#attempts.stream?.write(chunk) ?? true
    }
    this.#dropEarly()
    if (room) this.#side.resume()
    else this.#side.pause()
  }

  /** Relays the response of a backend that does not switch the protocol (row U2), as plain HTTP. */
  #relayResponse(head: StreamResponseHead): void {
    const response = this.#begin()
    this.#state = 'answering'
    this.#attempts.stream?.end()
    if (!response.hold(head)) this.responseBroken()
  }

  #begin(): ClientResponse {
    if (this.#response !== undefined) return this.#response
    this.#response = this.#side.respond()
    this.#response.attach(this)
    // The client's bytes are not used any more, so their memory is freed.
    this.#dropEarly()
    return this.#response
  }

  #fail(code: ErrorCode, detail?: string): void {
    this.#code = code
    this.#attempts.drop('cancelled')
    if (this.#state === 'relaying' || this.#response?.started === true) {
      this.#context.counters.truncated += 1
      this.#side.cut()
      return
    }
    if (this.#state === 'closed') return
    this.#respondLocally(problemOf(this.#request, code, detail))
  }

  #respondLocally(response: ProxyResponse): void {
    this.#code = response.code
    this.#request.capture?.localResponse(response, response.body)
    if (response.code !== undefined) countProblem(this.#context.counters, response.code)
    this.#begin().sendLocal(response)
    this.#leave(response.status)
  }

  #leave(status: number): void {
    this.#state = 'closed'
    this.#dropEarly()
    this.#attempts.drop('cancelled')
    const bytesOut = this.#response?.bytesOut ?? this.#bytesOut
    this.#attempts.finish(status, this.#bytesIn, bytesOut, this.#code)
    this.#context.deadlines.delete(this)
    this.#connection.remove(this)
  }

  #dropEarly(): void {
    this.#early = new KeptChunks()
    this.#count()
  }

  /** Counts the held bytes for the memory budget of the stream's Telephone, because it does not accept them. */
  #count(): void {
    this.#attempts.stream?.keep(this.#early.bytes + this.#side.waitingBytes)
  }

  #active(): void {
    this.#activeAtMs = this.#context.deadlines.nowMs
  }

  #payCredit(): void {
    this.#active()
    this.#attempts.stream?.consume(this.#owedBytes)
    this.#owedBytes = 0
  }
}
