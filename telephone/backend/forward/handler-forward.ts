// Connects one stream of the tunnel with one call of a fetch handler. The handler gets a Request and returns a Response;
// both bodies are streamed with backpressure. A cancelled request aborts the signal of the Request. http-forward.ts is
// the counterpart for HTTP servers.

import { BACKEND_CAUSES } from '@vera-stack/shared/backend-causes.ts'
import type { Clock } from '@vera-stack/shared/clock.ts'
import { equalsIgnoringCase } from '@vera-stack/shared/http/headers.ts'
import type { Fields, Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import { backendUsOf } from '@vera-stack/shared/protocol/wire/backend-time.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { BackendFailure } from '../backend-failure.ts'
import { neverOpener, type Report } from './backend.ts'
import { HandlerRequestBody } from './request-body.ts'

/** A handler of the web standard: gets a Request and returns a Response, both with streaming bodies. */
export type FetchHandler = (request: Request) => Response | Promise<Response>

const BODY_FAILED: BackendFailure = {
  cause: 'handler_failed',
  detail: "The body of the handler's response failed.",
  remedy: BACKEND_CAUSES.handler_failed.remedy,
}

/** Status codes with which a Response object may have a body, but a response on the wire may not. */
const BODYLESS = new Set([204, 205, 304])

export class HandlerForward implements StreamEvents {
  readonly #stream: Stream
  readonly #opening: Opening
  readonly #handler: FetchHandler
  readonly #onError: (error: unknown) => void
  readonly #clock: Clock
  readonly #abort = new AbortController()
  readonly #body: HandlerRequestBody
  #report: Report | undefined
  #state: 'gathering' | 'handling' | 'answering' | 'over' = 'gathering'
  #ended = false
  #anyData = false
  #writable: (() => void) | undefined
  #status = 0
  /** The time at which the whole request had arrived, or its head while the body arrives. */
  #receivedAtMs = 0

  constructor(
    stream: Stream,
    opening: Opening,
    handler: FetchHandler,
    onError: (error: unknown) => void,
    clock: Clock,
    report: Report | undefined,
  ) {
    this.#stream = stream
    this.#opening = opening
    this.#handler = handler
    this.#onError = onError
    this.#clock = clock
    this.#report = report
    this.#body = new HandlerRequestBody(stream, () => this.#continue())
    // A request that ends with its head has no body; see http-forward.ts.
    queueMicrotask(() => this.#begin())
  }

  onHead(): void {
    neverOpener()
  }

  onData(chunk: Buffer): void {
    this.#anyData = true
    this.#body.push(chunk)
  }

  onEnd(): void {
    this.#ended = true
    this.#body.end()
    if (this.#state === 'handling') this.#receivedAtMs = this.#clock.now()
    this.#begin()
  }

  onWritable(): void {
    this.#writable?.()
  }

  onAbort(error: TunnelError): void {
    this.#abort.abort(error)
    this.#body.fail(error)
    this.#writable?.()
    this.#finish(error.reason)
  }

  #begin(): void {
    if (this.#state !== 'gathering') return
    this.#state = 'handling'
    this.#receivedAtMs = this.#clock.now()
    void this.#handle()
  }

  async #handle(): Promise<void> {
    if (this.#opening.kind === 'upgrade') {
      this.#respondPlainly(501, 'Not Implemented', 'This service takes no upgrades.')
      return
    }
    const request = this.#request()
    if (request === undefined) return
    try {
      const response = await this.#handler(request)
      if (!(response instanceof Response)) throw new TypeError('the handler did not return a Response')
      if (this.#state === 'handling') await this.#sendResponse(response)
      else await response.body?.cancel()
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    switch (this.#state) {
      case 'handling':
        this.#onError(error)
        this.#respondPlainly(500, 'Internal Server Error', 'The service failed.')
        break
      case 'answering':
        this.#onError(error)
        this.#stream.reset('backend_closed', BODY_FAILED.detail, BODY_FAILED.cause)
        this.#body.discard()
        this.#finish('backend_closed', BODY_FAILED)
        break
      default:
      // The client has closed, so an error of the handler is expected.
    }
  }

  #request(): Request | undefined {
    const { method, target, fields } = this.#opening
    const bodiless = (this.#ended && !this.#anyData) || method === 'GET' || method === 'HEAD'
    try {
      if (!target.startsWith('/')) throw new TypeError('a target that is not a path')
      const headers = new Headers()
      for (let index = 0; index < fields.length; index += 2) {
        headers.append(fields[index] as string, fields[index + 1] as string)
      }
      const scheme = headers.get('x-forwarded-proto') === 'https' ? 'https' : 'http'
      const url = `${scheme}://${headers.get('host') ?? 'localhost'}${target}`
      const body = bodiless ? null : this.#body.readable
      if (bodiless) this.#body.discard()
      return new Request(url, { method, headers, body, duplex: 'half', signal: this.#abort.signal })
    } catch {
      // TRACE, CONNECT, `*` and some bytes in fields are valid in HTTP, but the fetch interface rejects them.
      this.#respondPlainly(501, 'Not Implemented', 'This service cannot take such a request.')
      return undefined
    }
  }

  async #sendResponse(response: Response): Promise<void> {
    const status = response.status
    if (status < 200) throw new TypeError(`a Response with status ${status} cannot be sent`)
    const fields: Fields = []
    for (const [name, value] of response.headers) fields.push(name, value)
    const bodiless = this.#opening.method === 'HEAD' || BODYLESS.has(status)
    this.#respond(status, response.statusText, fields)
    if (bodiless || response.body === null) await response.body?.cancel()
    else await this.#send(response.body, lengthOf(fields))
    if (this.#state !== 'answering') return
    this.#stream.end()
    this.#body.discard()
    this.#finish(undefined)
  }

  /** Sends the body. Throws the error of its source, or an error when its length differs from Content-Length. */
  async #send(body: ReadableStream<Uint8Array>, length: number | undefined): Promise<void> {
    const reader = body.getReader()
    // When the client closes, a waiting read returns and the source is cancelled.
    const stop = (): void => {
      reader.cancel(this.#abort.signal.reason).catch(() => undefined)
    }
    this.#abort.signal.addEventListener('abort', stop)
    let sent = 0
    try {
      for (;;) {
        const { done, value } = await reader.read()
        if (this.#state !== 'answering') return
        if (done) break
        if (!(value instanceof Uint8Array))
          throw new TypeError('A chunk of the response body is not a Uint8Array.')
        sent += value.byteLength
        if (length !== undefined && sent > length)
          throw new Error(`The body of the response is longer than its Content-Length of ${length} bytes.`)
        const room = this.#stream.write(Buffer.from(value.buffer, value.byteOffset, value.byteLength))
        if (!room) await this.#room()
        if (this.#state !== 'answering') return
      }
      if (length !== undefined && sent < length)
        throw new Error(`The body of the response is shorter than its Content-Length of ${length} bytes.`)
    } finally {
      this.#abort.signal.removeEventListener('abort', stop)
      stop()
    }
  }

  #room(): Promise<void> {
    return new Promise(resolve => {
      this.#writable = () => {
        this.#writable = undefined
        resolve()
      }
    })
  }

  #continue(): void {
    if (this.#state !== 'handling' || !this.#stream.open) return
    const { fields } = this.#opening
    const expects = fields.some((name, index) => index % 2 === 0 && equalsIgnoringCase(name, 'expect'))
    if (expects) this.#stream.respond({ status: 100, statusText: 'Continue', fields: [] })
  }

  #respondPlainly(status: number, statusText: string, text: string): void {
    const body = Buffer.from(`${text}\n`)
    this.#respond(status, statusText, [
      'Content-Type',
      'text/plain; charset=utf-8',
      'Content-Length',
      String(this.#opening.method === 'HEAD' ? 0 : body.length),
    ])
    if (this.#opening.method !== 'HEAD') this.#stream.write(body)
    this.#stream.end()
    this.#body.discard()
    this.#finish(undefined)
  }

  #respond(status: number, statusText: string, fields: Fields): void {
    this.#state = 'answering'
    this.#status = status
    const backendUs = backendUsOf(this.#clock.now() - this.#receivedAtMs)
    this.#report?.responded(backendUs)
    this.#stream.respond({ status, statusText, fields, backendUs })
  }

  #finish(code: string | undefined, failure?: BackendFailure): void {
    this.#state = 'over'
    const report = this.#report
    this.#report = undefined
    report?.ended(this.#status, code, failure)
  }
}

function lengthOf(fields: Fields): number | undefined {
  for (let index = 0; index < fields.length; index += 2) {
    if (equalsIgnoringCase(fields[index] as string, 'content-length')) return Number(fields[index + 1])
  }
  return undefined
}
