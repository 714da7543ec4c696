// One request on a pool of HTTP/2 connections, from the wish to the last byte of the answer: waits for a stream, holds
// what the client sends meanwhile, and repeats the request once when the backend has certainly not looked at it, or
// when a connection that had been in use turns out to be dead.
//
//   waiting ──► active ──► done
//      ▲           │
//      └───────────┘ (once: refused, or lost before anything came)
//
// An upgrade is an extended CONNECT (upgrade.ts); what Node makes of a stream's end is answer-body.ts.

import { type ClientHttp2Stream, constants } from 'node:http2'
import { isIdempotent } from '@vera-stack/shared/idempotent.ts'
import type { AnswerHead, Fields } from '@vera-stack/shared/protocol/streams/stream.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { BackendExchange, BackendRequest, ExchangeEvents, HostRule } from '../backend-exchange.ts'
import { RequestError } from '../backend-exchange.ts'
import { invalidResponse } from '../backend-failure.ts'
import { AnswerBody, type AnswerBodyEvents } from './answer-body.ts'
import { RequestBody } from './request-body.ts'
import { type RequestHead, writeRequestFields } from './request-fields.ts'
import { isTooLarge, readAnswerHead, readTrailers } from './response-fields.ts'
import type { Session } from './session.ts'
import type { SessionPool, SessionWaiter } from './session-pool.ts'
import { answerDeclined, isWebSocket, readUpgradeHead } from './upgrade.ts'

/** As for HTTP/1 (response-parser.ts). */
const MAX_INTERIM = 64

export class Exchange implements BackendExchange, SessionWaiter, AnswerBodyEvents {
  readonly #pool: SessionPool
  readonly #request: BackendRequest
  readonly #events: ExchangeEvents
  readonly #head: RequestHead
  readonly #body: RequestBody
  readonly client: string
  #phase: 'waiting' | 'active' | 'done' = 'waiting'
  #session: Session | undefined
  #stream: ClientHttp2Stream | undefined
  #answer: AnswerBody | undefined
  #error: Error | undefined
  #interim = 0
  #answered = false
  /** Switched to a byte stream: its halves end one by one. */
  #raw = false
  #trailers: Fields | undefined
  #retried = false

  /** Throws RequestError. Call `run` next. */
  constructor(
    pool: SessionPool,
    request: BackendRequest,
    hostRule: HostRule,
    scheme: 'http' | 'https',
    events: ExchangeEvents,
  ) {
    this.#pool = pool
    this.#request = request
    this.#events = events
    this.client = request.client ?? ''
    this.#head = writeRequestFields(request, hostRule, scheme)
    this.#body = new RequestBody(request, this.#head.contentLength)
  }

  run(): void {
    this.#checkBody()
    if (this.#phase === 'done') return
    if (this.#request.upgrade && !isWebSocket(this.#request, this.#head)) this.#decline()
    else this.#pool.acquire(this, this.#head.authenticatesConnection ? 'own' : 'any')
  }

  write(chunk: Buffer): boolean {
    if (this.#phase === 'done') return true
    const room = this.#body.write(chunk)
    this.#checkBody()
    return room
  }

  end(trailers: Fields | undefined): void {
    if (this.#phase === 'done') return
    this.#body.end(trailers)
    this.#checkBody()
  }

  pause(): void {
    this.#answer?.pause()
  }

  resume(): void {
    this.#answer?.resume()
  }

  /** RST_STREAM at once. */
  abort(): void {
    const stream = this.#stream
    const waiting = this.#phase === 'waiting'
    this.#finish()
    if (waiting) this.#pool.cancel(this)
    else reset(stream)
  }

  // What the pool says.

  onSession(session: Session): void {
    const { upgrade, ended, whole = false } = this.#request
    if (upgrade && !session.takesExtendedConnect) {
      this.#decline()
      return
    }
    const endStream = ended && !upgrade
    let stream: ClientHttp2Stream
    try {
      stream = session.open(this.#head.list, {
        endStream,
        waitForTrailers: !endStream && !whole && !upgrade,
        client: this.client,
      })
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      this.#fail(new TunnelError('request_unsendable', { detail: error.message, cause: error }))
      return
    }
    this.#phase = 'active'
    this.#session = session
    this.#stream = stream
    this.#error = undefined
    this.#answer = new AnswerBody(stream, this)
    stream.on('headers', (_fields, _flags, list) => this.#onInterim(list))
    stream.on('response', (_fields, _flags, list) => this.#onHead(list))
    stream.on('trailers', (_fields, _flags, list) => this.#onTrailers(list))
    stream.on('error', error => {
      this.#error = error
    })
    stream.on('close', () => this.#onClosed(stream))
    if (endStream) return
    stream.on('drain', () => this.#onRoom())
    stream.on('wantTrailers', () => this.#sendTrailers(stream))
    const hadBody = this.#body.held
    if (!upgrade && this.#body.attach(stream) && hadBody) this.#onRoom()
    this.#checkBody()
  }

  onNoConnection(error: TunnelError): void {
    this.#fail(error)
  }

  // What the stream says.

  #onInterim(list: readonly string[]): void {
    if (!this.#takes(list)) return
    this.#interim += 1
    if (this.#interim <= MAX_INTERIM) this.#events.onAnswerHead(readAnswerHead(list))
    else this.#refuse('backend_protocol_error', 'more interim answers than the limit')
  }

  #onHead(list: readonly string[]): void {
    const stream = this.#stream
    if (!this.#takes(list) || stream === undefined) return
    const head = readAnswerHead(list)
    this.#answered = true
    if (this.#request.upgrade && head.status >= 200 && head.status < 300) {
      this.#becomeRaw(head, stream)
      return
    }
    this.#events.onAnswerHead(head)
    if (this.#phase !== 'active') return
    if (isBodyless(head.status, this.#request.method)) this.onEnd()
    this.#answer?.read()
  }

  #onTrailers(list: readonly string[]): void {
    if (this.#takes(list)) this.#trailers = readTrailers(list)
  }

  /** A field list is wanted, and is not too large. */
  #takes(list: readonly string[]): boolean {
    if (this.#phase !== 'active') return false
    this.#session?.noteAnswer()
    if (!isTooLarge(list)) return true
    this.#refuse('backend_protocol_error', 'fields larger than the limit')
    return false
  }

  #becomeRaw(head: AnswerHead, stream: ClientHttp2Stream): void {
    this.#raw = true
    this.#events.onAnswerHead(readUpgradeHead(head, this.#head.webSocketKey ?? ''))
    if (this.#phase !== 'active') return
    this.#answer?.read()
    const hadBody = this.#body.held
    if (this.#body.attach(stream) && hadBody) this.#onRoom()
  }

  onBody(chunk: Buffer): void {
    if (this.#phase !== 'active') return
    this.#session?.noteAnswer()
    this.#events.onAnswerBody(chunk)
  }

  onWaiting(bytes: number): void {
    if (this.#phase === 'active') this.#events.onAnswerWaiting(bytes)
  }

  /** All of the answer has come, END_STREAM included, and has been handed on. */
  onEnd(): void {
    const stream = this.#stream
    if (this.#phase !== 'active' || stream === undefined) return
    if (this.#raw) {
      this.#events.onAnswerEnd(undefined)
      return
    }
    this.#finish()
    // The rest of an upload is not wanted (R3), nor a body that must not be (R6): RST_STREAM with NO_ERROR.
    if (!stream.writableFinished || this.#answer?.complete === false) stream.destroy()
    this.#events.onAnswerEnd(this.#trailers)
  }

  #onRoom(): void {
    if (this.#phase === 'active') this.#events.onRoom()
  }

  #sendTrailers(stream: ClientHttp2Stream): void {
    const trailers = this.#body.trailers()
    if (this.#phase === 'done') {
      stream.destroy()
      return
    }
    if (trailers === undefined) {
      this.#refuse('protocol_error', 'a trailer that HTTP does not allow')
      return
    }
    try {
      stream.sendTrailers(trailers)
    } catch (error) {
      // Node has rules of its own: Node 22, say, sends none twice that HTTP knows once.
      this.#refuse('protocol_error', error instanceof Error ? error.message : String(error))
    }
  }

  #onClosed(stream: ClientHttp2Stream): void {
    if (this.#phase !== 'active' || this.#stream !== stream) return
    // An answer that is complete is no failure, however the stream ended then.
    this.#answer?.settle()
    if (this.#phase !== 'active') return
    const session = this.#session as Session
    // The answer is handed on as fast as it is read; of a byte stream, our own half may have been cut.
    if (this.#answer?.whole === true && (!this.#raw || stream.writableFinished)) return
    const progress = this.#answered ? 'part of the body' : 'nothing'
    const { kind, error } = session.explain(stream, this.#error, progress)
    const untouched = !this.#answered && this.#interim === 0 && !this.#body.sent && !this.#retried
    const stale = kind === 'lost' && session.opened > 1 && isIdempotent(this.#request.method)
    if (untouched && (kind === 'refused' || stale)) {
      this.#retried = true
      this.#phase = 'waiting'
      this.#stream = undefined
      const again = stale ? 'fresh' : 'any'
      this.#pool.acquire(this, this.#head.authenticatesConnection ? 'own' : again)
      return
    }
    this.#fail(error)
  }

  #checkBody(): void {
    const fault = this.#body.fault
    if (fault !== undefined) this.#refuse('protocol_error', fault)
  }

  #decline(): void {
    this.#phase = 'active'
    answerDeclined(this.#events)
    this.#finish()
  }

  /** Something came that cannot be sent on. */
  #refuse(reason: 'protocol_error' | 'backend_protocol_error', detail: string): void {
    const stream = this.#stream
    if (this.#phase === 'waiting') this.#pool.cancel(this)
    this.#fail(
      reason === 'backend_protocol_error' ? invalidResponse(detail) : new TunnelError(reason, { detail }),
    )
    reset(stream)
  }

  #fail(error: TunnelError): void {
    if (this.#phase === 'done') return
    this.#finish()
    this.#events.onFailure(error)
  }

  #finish(): void {
    this.#phase = 'done'
    this.#body.discard()
  }
}

function reset(stream: ClientHttp2Stream | undefined): void {
  if (stream === undefined) return
  // Closed, but with bytes that nobody will read.
  if (stream.closed) stream.destroy()
  else stream.close(constants.NGHTTP2_CANCEL)
}

/** R6: no body, whatever the backend sends. */
function isBodyless(status: number, method: string): boolean {
  return method === 'HEAD' || status === 204 || status === 205 || status === 304
}
