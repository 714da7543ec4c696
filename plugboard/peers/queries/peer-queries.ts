// Queries between replicas, for data that only one replica has: its telephones and its recorded failures. One stream of a link
// carries one query and its response, both JSON. Sizes, time and the number of open queries are bounded, so a replica that does
// not respond costs the asking one a short wait. Other rooms define the queries.
//
//   asking replica                    responding replica
//   sendQuery ──OPEN, params, END──▶   QueryResponder ──respond(name, params)
//             ◀──HEAD 200, response, END──

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Session } from '@vera-stack/shared/protocol/session.ts'
import { REFUSED_STREAM } from '@vera-stack/shared/protocol/streams/refused-stream.ts'
import type {
  Opening,
  Stream,
  StreamEvents,
  StreamResponseHead,
} from '@vera-stack/shared/protocol/streams/stream.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'

/** A replica whose hello has this feature responds to queries (PROTOCOL.md). */
export const QUERY_FEATURE = 'queries'
/** Most bytes of the JSON of a query. */
export const MAX_QUERY_BYTES = 16 * 1024
/** Most bytes of the JSON of a response. */
export const MAX_RESPONSE_BYTES = 4 * 1024 * 1024
/** Time limit from the query to the end of the response, ms. */
export const QUERY_TIMEOUT_MS = 2000
/** Most open queries of one peer. */
export const MAX_OPEN_QUERIES = 16
/** Bytes of a response in one write. The next write follows when the stream has room. */
const SLICE_BYTES = 64 * 1024

/** Returns the response or its promise, or undefined for an unsupported name. May throw or reject, for example for invalid params. */
export type RespondToQuery = (name: string, params: unknown) => object | Promise<object> | undefined

/** A replica gave no usable response. The message is the reason, for people. */
export class QueryError extends Error {
  override readonly name = 'QueryError'
}

type QueryLink = Pick<Session, 'open' | 'peer'>

/** Sends a query and resolves with the response, which the caller must validate. Rejects with QueryError. */
export function sendQuery(link: QueryLink, name: string, params: object, clock: Clock): Promise<unknown> {
  if (link.peer?.features.includes(QUERY_FEATURE) !== true) {
    return Promise.reject(new QueryError('its version does not support queries of other replicas'))
  }
  return new Query(link, name, params, clock).promise
}

class Query implements StreamEvents {
  readonly promise: Promise<unknown>
  readonly #resolve: (value: unknown) => void
  readonly #reject: (error: QueryError) => void
  readonly #timer: Timer
  readonly #chunks: Buffer[] = []
  #bytes = 0
  #status = 0
  #stream: Stream | undefined

  constructor(link: QueryLink, name: string, params: object, clock: Clock) {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.promise = promise
    this.#resolve = resolve
    this.#reject = reject
    this.#timer = clock.after(QUERY_TIMEOUT_MS, () =>
      this.#fail(`it did not respond within ${QUERY_TIMEOUT_MS / 1000} s`),
    )
    const opening: Opening = { kind: 'query', hops: 0, service: '', method: '', target: name, fields: [] }
    try {
      this.#stream = link.open(opening, this, false)
      this.#stream.write(Buffer.from(JSON.stringify(params)))
      this.#stream.end()
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error))
    }
  }

  onHead({ status }: StreamResponseHead): void {
    this.#status = status
  }

  onData(chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes > MAX_RESPONSE_BYTES) {
      this.#fail(`its response is larger than ${MAX_RESPONSE_BYTES} bytes`)
      return
    }
    this.#chunks.push(chunk)
    this.#stream?.consume(chunk.length)
  }

  onEnd(): void {
    if (this.#status !== 200) {
      this.#fail('its version does not support this query')
      return
    }
    try {
      const value: unknown = JSON.parse(Buffer.concat(this.#chunks).toString())
      this.#timer.cancel()
      this.#resolve(value)
    } catch {
      this.#fail('its response is not JSON')
    }
  }

  onWritable(): void {
    // The query was written in one piece.
  }

  onAbort({ reason }: TunnelError): void {
    this.#fail(`the query failed: ${reason}`)
  }

  /** Rejects the query. Has no effect on a query that is settled. */
  #fail(message: string): void {
    this.#timer.cancel()
    this.#stream?.reset('cancelled')
    this.#chunks.length = 0
    this.#reject(new QueryError(message))
  }
}

/** Responds to the queries of one peer. */
export class QueryResponder {
  readonly #respond: RespondToQuery
  readonly #onFailure: (name: string, error: unknown) => void
  #open = 0

  /** `onFailure` gets the errors that `respond` throws. */
  constructor(respond: RespondToQuery, onFailure: (name: string, error: unknown) => void) {
    this.#respond = respond
    this.#onFailure = onFailure
  }

  /** Returns the events of a stream of kind `query`. */
  accept(stream: Stream, { target }: Opening): StreamEvents {
    if (this.#open >= MAX_OPEN_QUERIES) {
      stream.reset('overloaded', 'too many queries are open')
      return REFUSED_STREAM
    }
    this.#open += 1
    return new Response(
      stream,
      params => this.#responseTo(target, params),
      () => {
        this.#open -= 1
      },
    )
  }

  /** Throws, or rejects, after it has reported the error. */
  #responseTo(name: string, params: Buffer): Buffer | undefined | Promise<Buffer> {
    const report = (error: unknown): never => {
      this.#onFailure(name, error)
      throw error
    }
    try {
      const value = this.#respond(name, JSON.parse(params.toString()) as unknown)
      if (value instanceof Promise) return value.then(jsonOf).catch(report)
      return value === undefined ? undefined : jsonOf(value)
    } catch (error) {
      return report(error)
    }
  }
}

class Response implements StreamEvents {
  readonly #stream: Stream
  readonly #respond: (params: Buffer) => Buffer | undefined | Promise<Buffer>
  readonly #onOver: () => void
  readonly #chunks: Buffer[] = []
  #bytes = 0
  #rest: Buffer | undefined
  #over = false

  constructor(
    stream: Stream,
    respond: (params: Buffer) => Buffer | undefined | Promise<Buffer>,
    onOver: () => void,
  ) {
    this.#stream = stream
    this.#respond = respond
    this.#onOver = onOver
  }

  onHead(): void {
    throw new Error('the peer opened this stream, so it cannot send a response head')
  }

  onData(chunk: Buffer): void {
    if (this.#over) return
    this.#bytes += chunk.length
    this.#chunks.push(chunk)
    if (this.#bytes > MAX_QUERY_BYTES) this.#refuse('payload_too_large')
    else this.#stream.consume(chunk.length)
  }

  onEnd(): void {
    if (this.#over) return
    const params = Buffer.concat(this.#chunks)
    this.#chunks.length = 0
    // `#responseTo` of the responder has reported the error.
    const refuse = (): void => this.#refuse('internal_error')
    try {
      const response = this.#respond(params)
      if (response instanceof Promise) response.then(later => this.#send(later)).catch(refuse)
      else this.#send(response)
    } catch {
      refuse()
    }
  }

  /** The asking replica may have ended the query meanwhile. */
  #send(response: Buffer | undefined): void {
    if (this.#over) return
    if (response !== undefined && response.length > MAX_RESPONSE_BYTES) {
      this.#refuse('payload_too_large')
      return
    }
    this.#stream.respond({ status: response === undefined ? 404 : 200, statusText: '', fields: [] })
    this.#rest = response ?? Buffer.alloc(0)
    this.onWritable()
  }

  onWritable(): void {
    while (!this.#over && this.#rest !== undefined && this.#rest.length > 0) {
      const slice = this.#rest.subarray(0, SLICE_BYTES)
      this.#rest = this.#rest.subarray(slice.length)
      if (!this.#stream.write(slice) && this.#rest.length > 0) return
    }
    if (this.#over || this.#rest === undefined) return
    this.#stream.end()
    this.#finish()
  }

  onAbort(): void {
    this.#finish()
  }

  #refuse(reason: 'payload_too_large' | 'internal_error'): void {
    if (this.#over) return
    this.#stream.reset(reason)
    this.#finish()
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    this.#rest = undefined
    this.#chunks.length = 0
    this.#onOver()
  }
}

function jsonOf(value: object): Buffer {
  return Buffer.from(JSON.stringify(value))
}
