// One request on a pool, until the last byte of its response: waits for a connection and holds the body that the client
// sends meanwhile. Repeats the request once when the backend had already closed the kept-alive connection. A request
// that cannot be repeated gets no connection that the backend has probably closed.
//
//   waiting ──► active ──► done
//      ▲           │
//      └── stale ──┘ (once)

import { isIdempotent } from '@vera-stack/shared/http/idempotent.ts'
import type { Fields } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { BackendExchange, BackendRequest, ExchangeEvents, HostRule } from '../backend-exchange.ts'
import type { Connection, ConnectionUser } from './connection.ts'
import { HeldBody } from './held-body.ts'
import type { RequestTraits, ResponseHead } from './parser/response-head.ts'
import type { ConnectionNeed, Pool, Waiter } from './pool/pool.ts'
import { type Http1RequestHead, writeRequestHead } from './request-head.ts'

export class Http1Exchange implements BackendExchange, ConnectionUser, Waiter {
  readonly #pool: Pool
  readonly #events: ExchangeEvents
  readonly #head: Http1RequestHead
  readonly #traits: RequestTraits
  readonly affinity: string | undefined
  /** True when the backend may receive the request twice and the request has no body to keep. */
  readonly #repeatable: boolean
  readonly client: string
  #phase: 'waiting' | 'active' | 'done' = 'waiting'
  #connection: Connection | undefined
  readonly #held = new HeldBody()
  /** True when the whole body has arrived or the request has no body. */
  #whole: boolean
  #ended: boolean
  #trailers: Fields | undefined
  #retried = false

  /** Throws RequestError when recipients could read the request in two ways. Call `run` next. */
  constructor(pool: Pool, request: BackendRequest, hostRule: HostRule, events: ExchangeEvents) {
    this.#pool = pool
    this.#events = events
    this.#head = writeRequestHead(request, hostRule)
    this.#traits = { head: request.method === 'HEAD', upgrade: request.upgrade }
    this.#repeatable = isIdempotent(request.method) && !hasBody(this.#head)
    this.#ended = request.ended
    this.affinity = request.affinity
    this.client = request.client ?? ''
    const { framing } = this.#head
    this.#whole = request.whole === true || framing === 'none' || framing === 'raw'
  }

  get upgrade(): boolean {
    return this.#traits.upgrade
  }

  run(): void {
    this.#pool.acquire(this, this.#need)
  }

  write(chunk: Buffer): boolean {
    if (this.#connection !== undefined) return this.#connection.writeBody(chunk)
    if (this.#phase === 'done') return true
    this.#held.add(chunk)
    this.#pool.uploadMoved(this, this.#need)
    return false
  }

  /** Bytes of the body that have arrived, for the pool. Infinity when the body is complete. */
  get uploadedBytes(): number {
    return this.#ended || this.#whole ? Number.POSITIVE_INFINITY : this.#held.bytes
  }

  end(trailers: Fields | undefined): void {
    this.#ended = true
    this.#trailers = trailers
    if (this.#connection !== undefined) this.#connection.endBody(trailers)
    else if (this.#phase === 'waiting') this.#pool.uploadMoved(this, this.#need)
  }

  pause(): void {
    this.#connection?.pause()
  }

  resume(): void {
    this.#connection?.resume()
  }

  /** Closes the backend's connection at once. */
  abort(): void {
    const connection = this.#connection
    const waiting = this.#phase === 'waiting'
    this.#finish()
    if (waiting) this.#pool.cancel(this)
    else connection?.destroy()
  }

  // Events of the pool.

  onConnection(connection: Connection): void {
    this.#phase = 'active'
    this.#connection = connection
    connection.affinity = this.affinity
    const held = this.#held.take()
    connection.start(this.#head, this.#traits, this)
    const room = held.length > 0 && connection.writeBody(held)
    if (this.#ended) connection.endBody(this.#trailers)
    if (room && this.#connection === connection) this.#events.onRoom()
  }

  onNoConnection(error: TunnelError): void {
    this.#finish()
    this.#events.onFailure(error)
  }

  // Events of the connection.

  onHead(head: ResponseHead): void {
    this.#events.onResponseHead(head)
  }

  onBody(chunk: Buffer): void {
    this.#events.onResponseBody(chunk)
  }

  onComplete(trailers: Fields | undefined): void {
    // After a 101 our own half may still be open. Then this exchange keeps the connection.
    if (!this.#traits.upgrade || this.#connection?.raw !== true) this.#finish()
    this.#events.onResponseEnd(trailers)
  }

  onDrain(): void {
    this.#events.onRoom()
  }

  onFailure(error: TunnelError, stale: boolean): void {
    this.#connection = undefined
    if (stale && this.#repeatable && !this.#retried) {
      this.#retried = true
      this.#phase = 'waiting'
      this.#pool.acquire(this, this.#need)
      return
    }
    this.#finish()
    this.#events.onFailure(error)
  }

  get #need(): ConnectionNeed {
    if (this.#retried) return 'new'
    return this.#repeatable ? 'idle' : 'open'
  }

  #finish(): void {
    this.#phase = 'done'
    this.#connection = undefined
    this.#held.take()
  }
}

function hasBody({ framing }: Http1RequestHead): boolean {
  return framing === 'length' || framing === 'chunked'
}
