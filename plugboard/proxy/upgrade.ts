// One upgraded connection: a WebSocket, or any other protocol that begins as HTTP/1.1. Nothing is tunnelled before
// the backend's 101 (row U1); what the client sends earlier is held, bounded (U3). After it, bytes are relayed as
// they are, each direction with its own end (U4). Any other answer is plain HTTP, and the last on the connection.
//
//   asking ──101──▶ relaying ──both halves ended, cut or idle──▶ gone
//     └─────other answer──▶ answering ──complete──────────────▶ gone

import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import type { AnswerHead, Fields } from '@vera-stack/shared/protocol/stream.ts'
import { CLIENT_CLOSED_REQUEST } from './access.ts'
import { readAnswerFields } from './answer-fields.ts'
import { type AnswerOwner, AnswerWriter } from './answer-writer.ts'
import { makeProblem } from './answers.ts'
import type { ClientConnection } from './client-connection.ts'
import { countProblem } from './counters.ts'
import { Forwarding, type RoutedRequest } from './forwarding.ts'
import type { ProxyContext } from './proxy-context.ts'
import { rawHead } from './raw-head.ts'

/** What a client may send before the 101. Past it, its socket is not read. */
const EARLY_BYTES = 64 * 1024

export class Upgrade extends Forwarding implements AnswerOwner {
  readonly #socket: Socket
  readonly #req: IncomingMessage
  readonly #protocol: string
  #state: 'asking' | 'answering' | 'relaying' | 'gone' = 'asking'
  #early: Buffer[] = []
  #earlyBytes = 0
  #res: ServerResponse | undefined
  #writer: AnswerWriter | undefined
  #owedBytes = 0
  #bytesOut = 0
  #code: ErrorCode | undefined

  readonly closeAfter = true

  /** `protocol`: the value of the client's Upgrade. The socket is no longer Node's HTTP server's. */
  constructor(
    context: ProxyContext,
    connection: ClientConnection,
    request: RoutedRequest,
    req: IncomingMessage,
    protocol: string,
  ) {
    super(context, connection, request)
    this.#socket = connection.socket
    this.#req = req
    this.#protocol = protocol
  }

  /** `early`: what had already come after the request. */
  start(early: Buffer): void {
    if (early.length > 0) this.#hold(early)
    this.#socket.on('data', (chunk: Buffer) => this.#arrived(chunk))
    this.#socket.on('end', () => this.#clientHalfClosed())
    this.#socket.on('drain', () => this.#payCredit())
    this.begin()
  }

  protected opened(): void {
    // The head is all that is sent before the answer.
  }

  protected hold(): void {
    // What comes early is held, and bounded, in any case.
  }

  // The client's side

  #arrived(chunk: Buffer): void {
    if (this.#state === 'asking') {
      this.#hold(chunk)
      return
    }
    if (this.#state !== 'relaying') return
    this.active()
    this.bytesIn += chunk.length
    if (this.stream?.write(chunk) === false) this.#socket.pause()
  }

  #hold(chunk: Buffer): void {
    this.#early.push(chunk)
    this.#earlyBytes += chunk.length
    if (this.#earlyBytes >= EARLY_BYTES) this.#socket.pause()
  }

  #clientHalfClosed(): void {
    // Before there is a 101, a client that ends is one that has left, as with any request.
    if (this.#state !== 'relaying') this.#socket.destroy()
    else this.stream?.end()
  }

  onWritable(): void {
    this.active()
    this.#socket.resume()
  }

  bodyBroke(): boolean {
    return false
  }

  // The stream's events

  protected readonly endsWithHead = false

  protected get canReplay(): boolean {
    return this.#state === 'asking'
  }

  /** Nothing but the head was sent, and `openStream` has sent that. */
  protected replay(): void {
    this.active()
  }

  onHead(head: AnswerHead): void {
    this.active()
    if (this.#state !== 'asking') return
    if (head.status === 101) this.#switch(head)
    else if (head.status >= 200) this.#answer(head)
  }

  onData(chunk: Buffer): void {
    this.active()
    if (this.#state === 'relaying') {
      this.#bytesOut += chunk.length
      this.#owedBytes += chunk.length
      if (this.#socket.write(chunk)) this.#payCredit()
    } else if (this.#state === 'answering') {
      this.#owedBytes += chunk.length
      const written = this.#writer?.data(chunk)
      if (written === 'written') this.#payCredit()
      else if (written === 'broken') this.answerBroken()
    }
  }

  onEnd(trailers: Fields | undefined): void {
    this.active()
    if (this.#state === 'relaying') {
      this.#socket.end()
    } else if (this.#state === 'answering' && this.#writer?.end(trailers) === false) {
      this.answerBroken()
    }
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
    const { policy } = this
    if (this.#state === 'asking' && idleMs >= policy.responseHeadTimeoutMs) this.#fail('backend_timeout')
    if (this.#state === 'answering' && idleMs >= policy.idleTimeoutMs) this.#socket.destroy()
    if (this.#state === 'relaying' && idleMs >= policy.upgradeIdleTimeoutMs) {
      this.#code = 'backend_timeout'
      this.dropStream('idle_timeout')
      this.#socket.destroy()
    }
  }

  /** The socket is closed, whoever did it. */
  clientGone(): void {
    if (this.#state === 'gone') return
    const status = this.#state === 'relaying' ? 101 : this.#writer?.status || CLIENT_CLOSED_REQUEST
    if (this.#state === 'asking') this.context.counters.clientAborts += 1
    this.#leave(status)
  }

  #switch(head: AnswerHead): void {
    const answer = readAnswerFields(head.fields, this.requestId)
    const upgrade = answer?.upgrade || this.#protocol
    const text = answer && rawHead(101, ['Connection', 'Upgrade', 'Upgrade', upgrade, ...answer.fields])
    if (text === undefined) {
      this.answerBroken()
      return
    }
    this.#state = 'relaying'
    this.context.counters.upgrades += 1
    this.#socket.write(text, 'latin1')
    let room = true
    for (const chunk of this.#early) {
      this.bytesIn += chunk.length
      room = this.stream?.write(chunk) ?? true
    }
    this.#early = []
    if (room) this.#socket.resume()
    else this.#socket.pause()
  }

  /** The backend does not switch (row U2): its answer, as plain HTTP, on a socket that Node has let go of. */
  #answer(head: AnswerHead): void {
    const res = this.#response()
    const writer = new AnswerWriter(res, this)
    this.#writer = writer
    this.#state = 'answering'
    this.stream?.end()
    res.on('drain', () => this.#payCredit())
    if (!writer.hold(head)) this.answerBroken()
  }

  #response(): ServerResponse {
    if (this.#res !== undefined) return this.#res
    const res = new ServerResponse(this.#req)
    res.shouldKeepAlive = false
    res.assignSocket(this.#socket)
    res.once('finish', () => this.#socket.destroySoon())
    // From here on the client has nothing to say; what it says would only fill memory.
    this.#early = []
    this.#socket.resume()
    this.#res = res
    return res
  }

  #fail(code: ErrorCode): void {
    this.#code = code
    this.dropStream('cancelled')
    if (this.#state === 'relaying' || this.#writer?.started === true) {
      this.context.counters.truncated += 1
      this.connection.reset()
      return
    }
    if (this.#state === 'gone') return
    this.#writer?.abandon()
    const { requestId, accept } = this.request
    const problem = makeProblem(code, { requestId, accept, extraFields: ['Connection', 'close'] })
    countProblem(this.context.counters, code)
    const res = this.#response()
    res.writeHead(problem.status, problem.statusText, problem.fields)
    res.end(problem.body)
    this.#leave(problem.status)
  }

  #leave(status: number): void {
    this.#state = 'gone'
    this.#early = []
    this.dropStream('cancelled')
    this.finish(status, this.#writer?.bytesOut ?? this.#bytesOut, this.#code)
    this.leave()
  }

  #payCredit(): void {
    this.active()
    this.stream?.consume(this.#owedBytes)
    this.#owedBytes = 0
  }
}
