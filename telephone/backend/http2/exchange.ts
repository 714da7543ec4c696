// One request on a pool of HTTP/2 connections, until the last byte of its response: waits for a stream and holds the body
// that the client sends meanwhile. Repeats the request once when the backend has certainly not processed it, or when a
// connection that was used before is dead.
//
//   waiting ──► active ──► done
//      ▲           │
//      └───────────┘ (once: refused, or lost before the first byte)
//
// An upgrade is an extended CONNECT (upgrade.ts). response-body.ts detects the end of a response.

import { type ClientHttp2Stream, constants } from 'node:http2'
import { isIdempotent } from '@vera-stack/shared/http/idempotent.ts'
import type { Fields, StreamResponseHead } from '@vera-stack/shared/protocol/streams/stream.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { BackendExchange, BackendRequest, ExchangeEvents, HostRule } from '../backend-exchange.ts'
import { RequestError } from '../backend-exchange.ts'
import { invalidResponse } from '../backend-failure.ts'
import { Http2RequestBody } from './request-body.ts'
import { type Http2RequestHead, writeRequestFields } from './request-fields.ts'
import { ResponseBody, type ResponseBodyEvents } from './response-body.ts'
import { isTooLarge, MAX_LIST_BYTES, readResponseHead, readTrailers } from './response-fields.ts'
import type { BackendSession } from './session.ts'
import type { SessionPool, SessionWaiter } from './session-pool.ts'
import { isWebSocket, readUpgradeHead, respondDeclined } from './upgrade.ts'

/** The same limit as for HTTP/1 (http1/parser/response-parser.ts). */
const MAX_INTERIM = 64

export class Http2Exchange implements BackendExchange, SessionWaiter, ResponseBodyEvents {
  readonly #pool: SessionPool
  readonly #request: BackendRequest
  readonly #events: ExchangeEvents
  readonly #head: Http2RequestHead
  readonly #body: Http2RequestBody
  readonly client: string
  #phase: 'waiting' | 'active' | 'done' = 'waiting'
  #session: BackendSession | undefined
  #stream: ClientHttp2Stream | undefined
  #response: ResponseBody | undefined
  #error: Error | undefined
  #interim = 0
  #responded = false
  /** True after an upgrade to a byte stream, whose halves end separately. */
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
    this.#body = new Http2RequestBody(request, this.#head.contentLength)
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
    this.#response?.pause()
  }

  resume(): void {
    this.#response?.resume()
  }

  /** Sends RST_STREAM at once. */
  abort(): void {
    const stream = this.#stream
    const waiting = this.#phase === 'waiting'
    this.#finish()
    if (waiting) this.#pool.cancel(this)
    else reset(stream)
  }

  // Events of the pool.

  onSession(session: BackendSession): void {
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
    this.#response = new ResponseBody(stream, this)
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

  // Events of the stream.

  #onInterim(list: readonly string[]): void {
    if (!this.#takes(list)) return
    this.#interim += 1
    if (this.#interim <= MAX_INTERIM) this.#events.onResponseHead(readResponseHead(list))
    else
      this.#refuse(
        'backend_protocol_error',
        `more than ${MAX_INTERIM} interim responses (1xx) precede the final response`,
      )
  }

  #onHead(list: readonly string[]): void {
    const stream = this.#stream
    if (!this.#takes(list) || stream === undefined) return
    const head = readResponseHead(list)
    this.#responded = true
    if (this.#request.upgrade && head.status >= 200 && head.status < 300) {
      this.#becomeRaw(head, stream)
      return
    }
    this.#events.onResponseHead(head)
    if (this.#phase !== 'active') return
    if (isBodyless(head.status, this.#request.method)) this.onEnd()
    this.#response?.read()
  }

  #onTrailers(list: readonly string[]): void {
    if (this.#takes(list)) this.#trailers = readTrailers(list)
  }

  /** Returns true when a field list is expected and within the limit. */
  #takes(list: readonly string[]): boolean {
    if (this.#phase !== 'active') return false
    this.#session?.noteResponse()
    if (!isTooLarge(list)) return true
    this.#refuse(
      'backend_protocol_error',
      `the fields of the response are larger than ${MAX_LIST_BYTES} bytes`,
    )
    return false
  }

  #becomeRaw(head: StreamResponseHead, stream: ClientHttp2Stream): void {
    this.#raw = true
    this.#events.onResponseHead(readUpgradeHead(head, this.#head.webSocketKey ?? ''))
    if (this.#phase !== 'active') return
    this.#response?.read()
    const hadBody = this.#body.held
    if (this.#body.attach(stream) && hadBody) this.#onRoom()
  }

  onBody(chunk: Buffer): void {
    if (this.#phase !== 'active') return
    this.#session?.noteResponse()
    this.#events.onResponseBody(chunk)
  }

  onWaiting(bytes: number): void {
    if (this.#phase === 'active') this.#events.onResponseWaiting(bytes)
  }

  /** The whole response and its END_STREAM have arrived and were passed on. */
  onEnd(): void {
    const stream = this.#stream
    if (this.#phase !== 'active' || stream === undefined) return
    if (this.#raw) {
      this.#events.onResponseEnd(undefined)
      return
    }
    this.#finish()
    // The rest of an upload (R3) and a forbidden body (R6) are not used: RST_STREAM with NO_ERROR.
    if (!stream.writableFinished || this.#response?.complete === false) stream.destroy()
    this.#events.onResponseEnd(this.#trailers)
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
      this.#refuse('protocol_error', 'A trailer of the request is not valid HTTP.')
      return
    }
    try {
      stream.sendTrailers(trailers)
    } catch (error) {
      // Node has additional rules. For example, Node 22 refuses to send a field twice that HTTP allows only once.
      this.#refuse('protocol_error', error instanceof Error ? error.message : String(error))
    }
  }

  #onClosed(stream: ClientHttp2Stream): void {
    if (this.#phase !== 'active' || this.#stream !== stream) return
    // A complete response is no failure, even when its stream then ended with an error.
    this.#response?.settle()
    if (this.#phase !== 'active') return
    const session = this.#session as BackendSession
    // A whole response is still passed on at the speed of its reader. In a byte stream, our own half may be incomplete.
    if (this.#response?.whole === true && (!this.#raw || stream.writableFinished)) return
    const progress = this.#responded ? 'part of the body' : 'nothing'
    const { kind, error } = session.explain(stream, this.#error, progress)
    const untouched = !this.#responded && this.#interim === 0 && !this.#body.sent && !this.#retried
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
    respondDeclined(this.#events)
    this.#finish()
  }

  /** Fails because received data cannot be forwarded. */
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
  // The stream is closed, but still contains bytes that will not be read.
  if (stream.closed) stream.destroy()
  else stream.close(constants.NGHTTP2_CANCEL)
}

/** Returns true for a response that must not have a body (R6), even when the backend sends one. */
function isBodyless(status: number, method: string): boolean {
  return method === 'HEAD' || status === 204 || status === 205 || status === 304
}
