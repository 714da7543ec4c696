// HTTP/2 on client connections: each stream becomes an exchange or an upgraded connection, by the same admission and
// policy as HTTP/1.1 requests.

import { constants, type ServerHttp2Stream } from 'node:http2'
import type { ClientConnection } from '../connections/client-connection.ts'
import { Deadlines } from '../deadlines.ts'
import type { Admission } from '../edge/admission.ts'
import { type AdmittedRequest, hasBody, type RoutedRequest } from '../edge/routed-request.ts'
import { Exchange } from '../exchange/exchange.ts'
import { Upgrade } from '../exchange/upgrade.ts'
import { type PolicyDecision, problemOf, type RequestPolicy } from '../policy/request-policy.ts'
import { unroutedResponse } from '../policy/unrouted-response.ts'
import type { ProxyContext } from '../proxy-context.ts'
import type { ProxyLimits } from '../proxy-limits.ts'
import { type AnsweredRequest, noteLocalResponse } from '../report/local-response.ts'
import { bodylessResponse, makeProblem, type ProxyResponse } from '../response/local-responses.ts'
import { Http2Body } from './body.ts'
import { Http2Connection } from './connection.ts'
import { type Http2Head, readHttp2Head, type Unreadable } from './head.ts'
import { breakOff, Http2Response } from './response.ts'
import { UnreadResponse } from './unread-response.ts'
import { Http2UpgradeSide } from './upgraded-client.ts'

export interface Http2ServerOptions {
  readonly context: ProxyContext
  readonly admission: Admission
  readonly policy: RequestPolicy
  readonly limits: ProxyLimits
}

export class Http2Server {
  readonly #context: ProxyContext
  readonly #admission: Admission
  readonly #policy: RequestPolicy
  readonly #limits: ProxyLimits
  readonly #connections = new Set<Http2Connection>()
  readonly #deadlines: Deadlines

  constructor(options: Http2ServerOptions) {
    this.#context = options.context
    this.#admission = options.admission
    this.#policy = options.policy
    this.#limits = options.limits
    this.#deadlines = new Deadlines(options.context.clock, options.limits.deadlineIntervalMs)
  }

  /** Serves HTTP/2 on a connection. `sinceMs`: the time since which the client could send its preface. Default: now. */
  serve(connection: ClientConnection, sinceMs = this.#context.clock.now()): void {
    this.#context.counters.http2Connections += 1
    connection.http2 = true
    const http2: Http2Connection = new Http2Connection({
      connection,
      limits: this.#limits,
      nowMs: sinceMs,
      refusals: this.#context.refusals,
      log: this.#context.log,
      onRequest: (stream, rawHeaders) => this.#requested(connection, stream, rawHeaders),
      onClosed: () => {
        this.#connections.delete(http2)
        this.#deadlines.delete(http2)
      },
    })
    this.#connections.add(http2)
    this.#deadlines.add(http2)
    if (this.#context.draining) http2.leave()
  }

  /** Asks all clients to send their next requests on other connections. */
  leave(): void {
    for (const connection of this.#connections) connection.leave()
  }

  /** Refuses new streams. Each connection closes when its last stream has ended. */
  drain(): void {
    for (const connection of this.#connections) connection.close()
  }

  #requested(connection: ClientConnection, stream: ServerHttp2Stream, raw: readonly string[]): void {
    const startedAtMs = this.#context.clock.now()
    // The listeners of 'close', which follows each error, clean up.
    stream.on('error', () => undefined)
    this.#context.counters.requests += 1
    const head = readHttp2Head(raw, stream.endAfterHeaders)
    if (typeof head === 'string') {
      this.#refuseUnreadable(connection, stream, raw, head, startedAtMs)
      return
    }
    const admitted =
      head.bytes > this.#limits.maxHeadBytes
        ? this.#refused(head, connection)
        : this.#admission.admit(head, connection, head.kind)
    if (admitted.kind !== 'routed') {
      const response = unroutedResponse(admitted, this.#admission)
      this.#respondLocally(stream, head.method, startedAtMs, admitted, response)
      return
    }
    if (admitted.route.service.policy.inspect !== null) this.#context.capture?.begin(admitted, head)
    const decision = this.#decide(admitted)
    if (decision !== undefined && !(decision instanceof Promise)) {
      this.#respondLocally(stream, head.method, startedAtMs, admitted, decision)
      return
    }
    if (decision === undefined && admitted.authenticatesConnection) {
      this.#needHttp1(stream, startedAtMs, admitted)
      return
    }
    const forwarding =
      head.kind === 'http'
        ? this.#exchange(connection, stream, startedAtMs, admitted)
        : this.#upgrade(connection, stream, startedAtMs, admitted, head.webSocketKey)
    stream.once('close', () => forwarding.clientClosed())
    if (decision === undefined) forwarding.start()
    else {
      forwarding.suspend()
      void decision.then(response => forwarding.decided(response))
    }
  }

  /**
   * Asks the client to repeat the request over HTTP/1.1 (RFC 9113 section 7), because its credential applies to a whole
   * connection, and requests share an HTTP/2 connection. The access line has the status code 505.
   */
  #needHttp1(stream: ServerHttp2Stream, startedAtMs: number, request: RoutedRequest): void {
    noteLocalResponse(this.#context, startedAtMs, request.opening.method, request, bodylessResponse(505, []))
    stream.close(constants.NGHTTP2_HTTP_1_1_REQUIRED)
  }

  /** Refuses a head that could not be converted. Its id, client and `Accept` are read like those of other requests. */
  #refuseUnreadable(
    connection: ClientConnection,
    stream: ServerHttp2Stream,
    raw: readonly string[],
    why: Unreadable,
    startedAtMs: number,
  ): void {
    const code = why === 'connect' ? 'method_not_allowed' : 'bad_request'
    const method = why === 'connect' ? 'CONNECT' : ''
    const { requestId, accept, clientAddress, proto } = this.#admission.identify(
      raw,
      connection,
      false,
      method,
    )
    const allow = this.#admission.allowedMethods
    const response = makeProblem(code, { requestId, accept, allow })
    const bytesOut = response.body.length
    this.#context.refusals.note({
      clientAddress,
      proto,
      code,
      detail: `HTTP/2: ${why}`,
      startedAtMs,
      requestId,
      method,
      bytesOut,
    })
    this.#send(stream, '', response)
  }

  /** Refuses a head over `maxHead`. The admission still reads it, so that the response carries its id. */
  #refused(head: Http2Head, connection: ClientConnection): AdmittedRequest {
    const admitted = this.#admission.admit(head, connection, head.kind)
    return { ...admitted, kind: 'refused', code: 'headers_too_large', route: undefined }
  }

  #decide(request: RoutedRequest): PolicyDecision {
    const decision = this.#policy.decide(request)
    if (decision === undefined || request.opening.kind === 'http') return decision
    return decision instanceof Promise
      ? decision.then(later => unswitched(request, later))
      : unswitched(request, decision)
  }

  #upgrade(
    connection: ClientConnection,
    stream: ServerHttp2Stream,
    startedAtMs: number,
    request: RoutedRequest,
    webSocketKey: string,
  ): Upgrade {
    const side = new Http2UpgradeSide(stream, webSocketKey)
    return new Upgrade(this.#context, connection, request, startedAtMs, side)
  }

  #exchange(
    connection: ClientConnection,
    stream: ServerHttp2Stream,
    startedAtMs: number,
    request: RoutedRequest,
  ): Exchange {
    const { method } = request.opening
    const body = new Http2Body(stream)
    const response = new Http2Response(stream, method)
    if (!hasBody(request)) {
      // An empty body has no reader. The stream must be resumed, or it would never end.
      stream.resume()
      if (!stream.endAfterHeaders) stream.once('finish', () => response.stopUpload())
    }
    return new Exchange(this.#context, connection, request, startedAtMs, body, response)
  }

  /** Sends a local response, then resets the stream, so that the client stops sending its request. */
  #respondLocally(
    stream: ServerHttp2Stream,
    method: string,
    startedAtMs: number,
    request: AnsweredRequest,
    response: ProxyResponse,
  ): void {
    noteLocalResponse(this.#context, startedAtMs, method, request, response)
    this.#send(stream, method, response)
  }

  #send(stream: ServerHttp2Stream, method: string, response: ProxyResponse): void {
    new UnreadResponse(this.#context, stream, () => breakOff(stream))
    const sender = new Http2Response(stream, method)
    stream.once('finish', () => sender.stopUpload())
    sender.sendLocal(response)
  }
}

/**
 * Replaces a 2xx response of the route to a WebSocket request, because the client would take it for an accepted WebSocket
 * (RFC 8441 section 5).
 */
function unswitched(request: RoutedRequest, response: ProxyResponse | undefined): ProxyResponse | undefined {
  return response !== undefined && response.status < 300 ? problemOf(request, 'method_not_allowed') : response
}
