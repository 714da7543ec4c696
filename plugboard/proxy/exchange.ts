// One HTTP exchange: the request into a stream, the answer out of it. Reads as three parts: the request's side,
// the stream's events, the end. Whatever happens, the client gets one complete answer, or a connection that
// visibly breaks, never an answer that only looks complete (row R2).
//
//   open ──answer complete──▶ ending (bytes still leave) ──▶ lingering (request still arrives) ──▶ gone
//     └──── fail, cut, client gone ─────────────────────────────────────────────────────────────▶ gone

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import type { AnswerHead, Fields } from '@vera-stack/shared/protocol/stream.ts'
import { CLIENT_CLOSED_REQUEST } from './access.ts'
import { type AnswerOwner, AnswerWriter } from './answer-writer.ts'
import { makeProblem } from './answers.ts'
import type { ClientConnection } from './client-connection.ts'
import { countProblem } from './counters.ts'
import { LINGER_BYTES, LINGER_MS } from './discarded-body.ts'
import { Forwarding, type RoutedRequest } from './forwarding.ts'
import type { ProxyContext } from './proxy-context.ts'
import { type BodyOwner, RequestBody } from './request-body.ts'

export class Exchange extends Forwarding implements AnswerOwner, BodyOwner {
  readonly #res: ServerResponse
  readonly #writer: AnswerWriter
  /** Absent: the request has none. */
  readonly #body: RequestBody | undefined
  #state: 'open' | 'ending' | 'lingering' | 'gone' = 'open'
  /** Any head, a 1xx too, has come. */
  #answered = false
  /** Received and not yet given back as credit. */
  #owedBytes = 0
  #drainWatched = false
  #lingerBytes = 0
  #closeAfter = false
  /** The client was to wait for a 100 that has not come: it may never send the body that it has announced. */
  #withheld = false

  constructor(
    context: ProxyContext,
    connection: ClientConnection,
    request: RoutedRequest,
    req: IncomingMessage,
    res: ServerResponse,
  ) {
    super(context, connection, request)
    this.#res = res
    this.#closeAfter = request.lastOnConnection
    if (request.lastOnConnection) connection.closing = true
    this.#withheld = request.expectsContinue
    this.#writer = new AnswerWriter(res, this)
    this.#body = request.chunked || request.contentLength > 0 ? new RequestBody(req, this) : undefined
  }

  start(): void {
    const { maxRequestBodyBytes } = this.policy
    if (maxRequestBodyBytes !== null && this.request.contentLength > maxRequestBodyBytes) {
      this.#fail('payload_too_large')
      return
    }
    this.begin()
  }

  protected opened(): void {
    if (this.stream !== undefined) this.#body?.sendTo(this.stream)
  }

  protected hold(): void {
    this.#body?.block()
  }

  get closeAfter(): boolean {
    return this.#closeAfter || this.#withheld || this.context.draining
  }

  // The request's side

  bodyMoved(bytes: number): boolean {
    if (this.#state !== 'open') {
      this.#lingerBytes += bytes
      if (this.#lingerBytes > LINGER_BYTES) this.#destroy()
      return false
    }
    this.bytesIn += bytes
    this.active()
    const { maxRequestBodyBytes } = this.policy
    if (maxRequestBodyBytes !== null && this.bytesIn > maxRequestBodyBytes) {
      this.#fail('payload_too_large')
      return false
    }
    return true
  }

  bodyEnded(): void {
    this.active()
    if (this.#state === 'lingering') this.#leave()
  }

  onWritable(): void {
    this.active()
    this.#body?.unblock()
  }

  bodyBroke(error: NodeJS.ErrnoException): boolean {
    // What breaks behind a complete body is the next request.
    if (this.#body === undefined || this.#body.complete || this.#state !== 'open') return false
    this.#closeAfter = true
    this.#fail(error.code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW' ? 'payload_too_large' : 'bad_request')
    return true
  }

  // The stream's events

  protected get endsWithHead(): boolean {
    return this.#body === undefined
  }

  protected get canReplay(): boolean {
    return !this.#answered && (this.#body?.canReplay ?? true)
  }

  protected replay(): void {
    if (this.stream !== undefined) this.#body?.sendTo(this.stream)
  }

  onHead(head: AnswerHead): void {
    if (this.#state !== 'open') return
    this.active()
    this.#answered = true
    if (head.status < 200 && head.status !== 101) {
      if (head.status === 100) {
        if (!this.request.expectsContinue) return
        this.#withheld = false
      }
      this.#writer.interim(head)
      return
    }
    this.#body?.forgetCopy()
    if (this.closeAfter) this.connection.lastAnswer()
    if (!this.#writer.hold(head)) this.answerBroken()
  }

  onData(chunk: Buffer): void {
    if (this.#state !== 'open') return
    this.active()
    this.#owedBytes += chunk.length
    switch (this.#writer.data(chunk)) {
      case 'written':
        this.#payCredit()
        break
      case 'full':
        if (!this.#drainWatched) {
          this.#drainWatched = true
          this.#res.on('drain', () => this.#drained())
        }
        break
      case 'broken':
        this.answerBroken()
        break
    }
  }

  onEnd(trailers: Fields | undefined): void {
    if (this.#state !== 'open') return
    if (!this.#writer.end(trailers)) {
      this.answerBroken()
      return
    }
    // Row R3: the answer is complete, so the rest of the upload is of no use to the far end.
    if (this.#body !== undefined && !this.#body.ended) this.dropStream('cancelled')
    this.stream = undefined
    this.#ending(this.#writer.status, undefined)
  }

  protected failed(code: ErrorCode): void {
    this.#fail(code)
  }

  answerBroken(): void {
    this.#fail('backend_protocol_error')
  }

  // The end

  checkDeadline(nowMs: number): void {
    const idleMs = nowMs - this.activeAtMs
    const { idleTimeoutMs, responseHeadTimeoutMs } = this.policy
    if (this.#state === 'lingering') {
      if (idleMs >= LINGER_MS) this.#destroy()
      return
    }
    const uploading = this.#body !== undefined && !this.#body.ended
    if (this.#writer.status !== 0) {
      if (idleMs >= idleTimeoutMs) this.#fail('backend_timeout')
    } else if (uploading && !this.#body?.blocked) {
      if (idleMs >= this.context.bodyIdleTimeoutMs) {
        this.#closeAfter = true
        this.#fail('request_timeout')
      }
    } else if (idleMs >= (uploading ? idleTimeoutMs : responseHeadTimeoutMs)) {
      this.#fail('backend_timeout')
    }
  }

  clientGone(): void {
    if (this.#state === 'gone') return
    if (this.#state === 'open') this.context.counters.clientAborts += 1
    this.#body?.stop()
    this.dropStream('cancelled')
    this.finish(this.#writer.status || CLIENT_CLOSED_REQUEST, this.#writer.bytesOut, undefined)
    this.#leave()
  }

  #destroy(): void {
    // A finished response has let go of its socket; an unfinished one may still wait for its turn to have it.
    if (this.#state === 'lingering') this.connection.socket.destroy()
    else this.#res.destroy()
  }

  /** Answers with a problem; when an answer has begun, breaks it off. */
  #fail(code: ErrorCode): void {
    if (this.#state !== 'open') {
      // All that is left is a client that does not take its bytes.
      this.#destroy()
      return
    }
    this.dropStream(code === 'payload_too_large' ? code : 'cancelled')
    if (this.#writer.started) {
      this.#cut(code)
      return
    }
    this.#writer.abandon()
    const { requestId, accept } = this.request
    const problem = makeProblem(code, { requestId, accept })
    if (this.closeAfter) problem.fields.push('Connection', 'close')
    this.#res.writeHead(problem.status, problem.statusText, problem.fields)
    this.#res.end(problem.body)
    countProblem(this.context.counters, code)
    this.#ending(problem.status, code)
  }

  #cut(code: ErrorCode): void {
    this.context.counters.truncated += 1
    const { socket } = this.#res
    const status = this.#writer.status
    this.finish(status, this.#writer.bytesOut, code)
    // Where only the end of the connection ends the body, an orderly close would look complete.
    if (this.#writer.closeDelimited && socket !== null) this.connection.reset()
    else this.#res.destroy()
    this.#body?.stop()
    this.#leave()
  }

  /** The answer is complete on our side; the client may still be taking it, or sending its request. */
  #ending(status: number, code: ErrorCode | undefined): void {
    this.#state = 'ending'
    if (this.closeAfter) this.connection.lastAnswer()
    this.#body?.stop()
    this.finish(status, this.#writer.bytesOut, code)
    const { socket } = this.#res
    if (socket !== null && socket.writableLength === 0) this.#ended()
    else this.#res.once('finish', () => this.#ended())
  }

  #ended(): void {
    if (this.#state !== 'ending') return
    if (this.#body === undefined || this.#body.ended) {
      this.#leave()
      return
    }
    this.#state = 'lingering'
    this.active()
  }

  #leave(): void {
    this.#state = 'gone'
    this.leave()
  }

  #drained(): void {
    this.active()
    this.#payCredit()
  }

  #payCredit(): void {
    this.stream?.consume(this.#owedBytes)
    this.#owedBytes = 0
  }
}
