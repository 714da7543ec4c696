// Connects one stream of the tunnel with one exchange with the backend, with backpressure in both directions:
//
//   tunnel ── onData ──► exchange.write ──► backend      credit is returned when the socket has room
//   tunnel ◄─ write ──── onBody ◄───────── backend       a full tunnel pauses the socket
//
// An early end on one side is an early end on the other side: an incomplete body becomes a reset, never an END.
// The Plugboard removes hop-by-hop fields in both directions. The Telephone only removes and adds the framing.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type {
  Fields,
  Opening,
  Stream,
  StreamEvents,
  StreamResponseHead,
} from '@vera-stack/shared/protocol/streams/stream.ts'
import { backendUsOf } from '@vera-stack/shared/protocol/wire/backend-time.ts'
import { HeadError } from '@vera-stack/shared/protocol/wire/encode.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import {
  type BackendClient,
  type BackendExchange,
  type ExchangeEvents,
  RequestError,
} from '../backend-exchange.ts'
import { type BackendFailure, failureOf, invalidResponse } from '../backend-failure.ts'
import type { FailureLog } from '../failure-log.ts'
import { neverOpener, type Report } from './backend.ts'

export class HttpForward implements StreamEvents, ExchangeEvents {
  readonly #stream: Stream
  readonly #opening: Opening
  readonly #client: BackendClient
  readonly #clock: Clock
  #report: Report | undefined
  readonly #failures: FailureLog | undefined
  #exchange: BackendExchange | undefined
  #state: 'gathering' | 'forwarding' | 'answered' | 'over' = 'gathering'
  /** Body that arrived with the head, in the same event-loop turn. */
  #early: Buffer[] = []
  #ended = false
  #trailers: Fields | undefined
  /** Bytes that were received from the tunnel and that the backend has not accepted yet. */
  #owedBytes = 0
  #status = 0
  /** The time at which the whole request had arrived, or its head while the body arrives. */
  #receivedAtMs = 0

  constructor(
    stream: Stream,
    opening: Opening,
    client: BackendClient,
    clock: Clock,
    report: Report | undefined,
    failures?: FailureLog,
  ) {
    this.#stream = stream
    this.#opening = opening
    this.#client = client
    this.#clock = clock
    this.#report = report
    this.#failures = failures
    // A request without Content-Length has a body unless it ends with its head. That END is in the OPEN or in a later
    // frame of the same message, so the request starts after the whole message is read. Most requests end with their
    // OPEN: `onEnd` starts them, and they need no microtask.
    if (stream.endsWithOpen !== true) queueMicrotask(() => this.#begin())
  }

  // From the tunnel.

  onData(chunk: Buffer): void {
    switch (this.#state) {
      case 'gathering':
        this.#early.push(chunk)
        this.#owedBytes += chunk.length
        break
      case 'forwarding':
        // Counted before the write, because the write may give the exchange its connection, which then calls `onRoom`.
        this.#owedBytes += chunk.length
        if (this.#exchange?.write(chunk) === true) this.#payCredit()
        break
      case 'answered':
        // The response was complete before the upload. The rest of the upload is dropped (R3).
        this.#stream.consume(chunk.length)
        break
      case 'over':
        break
    }
  }

  onEnd(trailers: Fields | undefined): void {
    this.#ended = true
    this.#trailers = trailers
    if (this.#state === 'gathering') {
      this.#begin()
    } else {
      if (this.#status === 0) this.#receivedAtMs = this.#clock.now()
      this.#exchange?.end(trailers)
    }
    if (this.#status === 101 && !this.#stream.open) this.#finish(undefined)
  }

  onWritable(): void {
    this.#exchange?.resume()
  }

  /** The client cancelled the request, or the tunnel closed. Cancels the exchange at the backend at once (R11). */
  onAbort(error: TunnelError): void {
    this.#exchange?.abort()
    this.#fail(error)
  }

  onHead(): void {
    neverOpener()
  }

  #begin(): void {
    if (this.#state !== 'gathering') return
    this.#state = 'forwarding'
    this.#receivedAtMs = this.#clock.now()
    const { method, target, fields, kind, client, affinity } = this.#opening
    const early = this.#early
    this.#early = []
    const whole = this.#ended && this.#trailers === undefined
    const bare = whole && early.length === 0
    const upgrade = kind === 'upgrade'
    const request = { method, target, fields, client, affinity, upgrade, ended: bare, whole }
    let exchange: BackendExchange
    try {
      exchange = this.#client.exchange(request, this)
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      this.#stream.reset('request_unsendable', error.message)
      this.#finish('request_unsendable')
      return
    }
    this.#exchange = exchange
    // `run` may fail before it returns. Then the following calls have no effect.
    exchange.run()
    let room = true
    for (const chunk of early) room = exchange.write(chunk)
    if (room) this.#payCredit()
    if (this.#ended && !bare) exchange.end(this.#trailers)
  }

  // From the backend.

  onResponseHead(head: StreamResponseHead): void {
    const { status } = head
    if (status === 101) this.#succeeded()
    const isFinal = status >= 200 || status === 101
    if (isFinal) this.#status = status
    try {
      this.#stream.respond(isFinal ? this.#timed(head) : head)
    } catch (error) {
      this.#refuseHead(error)
    }
  }

  /** Returns the head with the time of the backend. */
  #timed({ status, statusText, fields }: StreamResponseHead): StreamResponseHead {
    const backendUs = backendUsOf(this.#clock.now() - this.#receivedAtMs)
    this.#report?.responded(backendUs)
    return { status, statusText, fields, backendUs }
  }

  onResponseBody(chunk: Buffer): void {
    // After true, the tunnel has copied the chunk. After false, it has copied the chunk when it is writable again. Only
    // then does an HTTP/1 connection resume and read into the same buffer.
    if (!this.#stream.write(chunk)) this.#exchange?.pause()
  }

  onResponseEnd(trailers: Fields | undefined): void {
    try {
      this.#stream.end(trailers)
    } catch (error) {
      this.#refuseHead(error)
      return
    }
    if (this.#status === 101) {
      // Only the backend's half is complete. Our half may continue.
      if (!this.#stream.open) this.#finish(undefined)
      return
    }
    this.#state = 'answered'
    this.#succeeded()
    this.#payCredit()
    this.#finish(undefined)
  }

  onResponseWaiting(bytes: number): void {
    this.#stream.keep(bytes)
  }

  onRoom(): void {
    this.#payCredit()
  }

  onFailure(error: TunnelError): void {
    this.#stream.reset(error.reason, error.detail, error.causeCode)
    this.#fail(error)
  }

  /** Resets the stream when the head or trailers of the backend cannot be forwarded. Throws every other error. */
  #refuseHead(error: unknown): void {
    if (!(error instanceof HeadError)) throw error
    this.#exchange?.abort()
    const failure = invalidResponse(error.message)
    this.#stream.reset(failure.reason, failure.detail, failure.causeCode)
    this.#fail(failure)
  }

  #payCredit(): void {
    if (this.#owedBytes === 0) return
    this.#stream.consume(this.#owedBytes)
    this.#owedBytes = 0
  }

  #succeeded(): void {
    if (this.#failures?.failing === true) this.#failures.succeeded()
  }

  #fail(error: TunnelError): void {
    // A complete response has no failure, even when the stream of its request ends early.
    const failure = this.#state === 'answered' ? undefined : failureOf(error)
    if (failure !== undefined) this.#failures?.failed(failure)
    this.#finish(error.reason, failure)
  }

  #finish(code: string | undefined, failure?: BackendFailure): void {
    if (this.#state !== 'answered') this.#state = 'over'
    this.#exchange = undefined
    this.#early = []
    const report = this.#report
    this.#report = undefined
    report?.ended(this.#status, code, failure)
  }
}
