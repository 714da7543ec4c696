// HTTP/1.1 on client connections: Node's own server with strict options. Only this file turns its events into exchanges,
// upgrades, tunnels and refusals. Its TCP server is the listener of the public port as well, but proxy/server.ts decides which
// connections it serves.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import type { TunnelAcceptor } from '../../telephones/tunnel-endpoint.ts'
import type { ClientConnection } from '../connections/client-connection.ts'
import type { ClientConnections } from '../connections/client-connections.ts'
import { DiscardedBody, endsConnection } from '../connections/discarded-body.ts'
import type { Admission } from '../edge/admission.ts'
import {
  type AdmittedRequest,
  bodyBytesOf,
  endsParsing,
  hasBody,
  type RoutedRequest,
  type UnroutedRequest,
} from '../edge/routed-request.ts'
import { mayUpgrade } from '../edge/upgrade-request.ts'
import { Exchange } from '../exchange/exchange.ts'
import { NO_BODY } from '../exchange/request-body.ts'
import { Upgrade } from '../exchange/upgrade.ts'
import { UnreadResponse } from '../http2/unread-response.ts'
import { type ChallengeResponses, challengeResponse, challengeToken } from '../policy/challenge-response.ts'
import { type PolicyDecision, problemOf, type RequestPolicy } from '../policy/request-policy.ts'
import { unroutedResponse } from '../policy/unrouted-response.ts'
import type { ProxyContext } from '../proxy-context.ts'
import type { ProxyLimits } from '../proxy-limits.ts'
import { type AnsweredRequest, noteLocalResponse } from '../report/local-response.ts'
import {
  closingConnection,
  makeProblem,
  type ProxyResponse,
  responseBytes,
} from '../response/local-responses.ts'
import { Http1Body } from './body.ts'
import { LeanRequest } from './lean-request.ts'
import { codeOfParserError } from './parser-error.ts'
import { Http1Response } from './response.ts'
import { Http1UpgradeSide } from './upgraded-client.ts'

export interface Http1ServerOptions {
  readonly context: ProxyContext
  readonly connections: ClientConnections
  /** Called for each connection that the public port accepts. */
  readonly accepted: (socket: Socket) => void
  readonly admission: Admission
  readonly policy: RequestPolicy
  readonly limits: ProxyLimits
  readonly tunnels: TunnelAcceptor | undefined
  readonly challenges: ChallengeResponses | undefined
}

/** After these codes, further bytes of the connection cannot be trusted. */
const CLOSING_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'bad_request',
  'uri_too_long',
  'headers_too_large',
  'expectation_failed',
])

export class Http1Server {
  /** The listener of the public port. It passes its connections to `options.accepted`. */
  readonly tcp: Server
  /** Node's own `connection` listeners, which serve HTTP on a connection. */
  readonly #serve: readonly ((socket: Socket) => void)[]
  readonly #context: ProxyContext
  readonly #connections: ClientConnections
  readonly #admission: Admission
  readonly #policy: RequestPolicy
  readonly #limits: ProxyLimits
  readonly #tunnels: TunnelAcceptor | undefined

  constructor(options: Http1ServerOptions) {
    this.#context = options.context
    this.#connections = options.connections
    this.#admission = options.admission
    this.#policy = options.policy
    this.#limits = options.limits
    this.#tunnels = options.tunnels
    this.tcp = this.#createServer(options.challenges)
    this.#serve = this.tcp.listeners('connection') as ((socket: Socket) => void)[]
    this.tcp.removeAllListeners('connection')
    this.tcp.on('connection', options.accepted)
  }

  /** Serves HTTP/1.1 on a connection that is registered in `connections`. */
  serve(socket: Socket): void {
    this.#connections.of(socket)?.watchIdle(this.#context.idleDeadlines)
    this.#context.counters.http1Connections += 1
    for (const listener of this.#serve) listener.call(this.tcp, socket)
  }

  #createServer(challenges: ChallengeResponses | undefined): Server {
    const limits = this.#limits
    const connections = this.#connections
    const server: Server = createServer({
      IncomingMessage: LeanRequest,
      insecureHTTPParser: false,
      // The admission checks Host, because Node accepts other invalid values of it as well.
      requireHostHeader: false,
      maxHeaderSize: limits.maxHeadBytes,
      headersTimeout: limits.headTimeoutMs,
      // No time limit for the whole request. The exchange has an idle timeout for bodies.
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(1000, Math.ceil(limits.headTimeoutMs / 4)),
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      optimizeEmptyRequests: true,
      shouldUpgradeCallback: (req: IncomingMessage) => {
        const connection = connections.of(req.socket)
        return connection?.closing !== true && mayUpgrade(req, connection?.inFlightCount ?? 0)
      },
    })
    // 0 turns off Node's limit, because Node silently drops the fields that exceed it. The admission refuses such requests.
    server.maxHeadersCount = 0
    server.on('request', (req, res) => {
      const token = challenges && challengeToken(req)
      if (challenges === undefined || token === undefined) this.#requested(req, res)
      else void this.#challenged(challenges, token, req, res)
    })
    server.on('checkContinue', (req, res) => this.#continueRequested(req, res))
    server.on('checkExpectation', (req, res) => this.#requested(req, res))
    server.on('upgrade', (req, socket, head) => this.#upgradeRequested(req, socket as Socket, head))
    server.on('connect', (req: IncomingMessage, socket: Duplex) => this.#connectRequested(req, socket))
    server.on('clientError', (error, socket) => this.#clientFailed(error, socket))
    return server
  }

  /**
   * Serves a request that expects a 100. Without a body, no 100 is sent. Node then closes the connection after the response,
   * so no further request is served on it.
   */
  #continueRequested(req: IncomingMessage, res: ServerResponse): void {
    const connection = this.#connections.of(req.socket)
    if (connection === undefined || ignores(connection)) return
    const admitted = this.#requested(req, res)
    if (admitted !== undefined && !hasBody(admitted)) connection.closing = true
  }

  /** Serves a request with the path of an ACME challenge. If its token is unknown, it is an ordinary request. */
  async #challenged(
    challenges: ChallengeResponses,
    token: string,
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<void> {
    const asking = this.#connections.of(req.socket)
    if (asking === undefined) return
    const startedAtMs = this.#context.clock.now()
    asking.requestBegan()
    const forwardedFor = req.headersDistinct['x-forwarded-for']?.join(', ')
    const text = await challenges.http(token, this.#admission.clientGroup(asking, forwardedFor))
    const connection = this.#connections.of(req.socket)
    if (text === undefined || connection === undefined) {
      this.#requested(req, res, startedAtMs)
      return
    }
    this.#context.counters.requests += 1
    const admitted = this.#admission.admit(req, connection, 'http')
    const response = challengeResponse(text, admitted.requestId)
    noteLocalResponse(this.#context, startedAtMs, req.method, { ...admitted, route: undefined }, response)
    write(res, response, this.#context.draining)
  }

  /** Returns undefined on a connection that takes no more requests. */
  #requested(
    req: IncomingMessage,
    res: ServerResponse,
    startedAtMs = this.#context.clock.now(),
  ): AdmittedRequest | undefined {
    const connection = this.#connections.of(req.socket)
    if (connection === undefined || ignores(connection)) return undefined
    connection.requestBegan()
    this.#context.counters.requests += 1
    const admitted = this.#admission.admit(req, connection, 'http')
    if (admitted.kind !== 'routed') {
      const response = unroutedResponse(admitted, this.#admission)
      noteLocalResponse(this.#context, startedAtMs, req.method, admitted, response)
      this.#respond(connection, res, admitted, response)
      return admitted
    }
    this.#capture(admitted, req)
    const decision = this.#decide(admitted, connection)
    if (decision === undefined) {
      this.#exchange(connection, admitted, req, res, startedAtMs).start()
    } else if (decision instanceof Promise) {
      const exchange = this.#exchange(connection, admitted, req, res, startedAtMs)
      exchange.suspend()
      void decision.then(response => exchange.decided(response))
    } else {
      noteLocalResponse(this.#context, startedAtMs, req.method, admitted, decision)
      this.#respond(connection, res, admitted, decision)
    }
    return admitted
  }

  #exchange(
    connection: ClientConnection,
    request: RoutedRequest,
    req: IncomingMessage,
    res: ServerResponse,
    startedAtMs: number,
  ): Exchange {
    const body = hasBody(request) ? new Http1Body(req) : NO_BODY
    const response = new Http1Response(res, connection)
    return new Exchange(this.#context, connection, request, startedAtMs, body, response)
  }

  #capture(request: RoutedRequest, req: IncomingMessage): void {
    if (request.route.service.policy.inspect !== null) this.#context.capture?.begin(request, req)
  }

  #decide(request: RoutedRequest, connection: ClientConnection): PolicyDecision {
    const busy = connection.inFlightCount >= this.#limits.maxPipelined
    return busy ? problemOf(request, 'overloaded') : this.#policy.decide(request)
  }

  #problem({ requestId, accept }: AdmittedRequest, code: ErrorCode): ProxyResponse {
    return makeProblem(code, { requestId, accept, allow: this.#admission.allowedMethods })
  }

  #respond(
    connection: ClientConnection,
    res: ServerResponse,
    request: AdmittedRequest,
    response: ProxyResponse,
  ): void {
    const bodyBytes = bodyBytesOf(request)
    const distrusted =
      endsParsing(request) || (response.code !== undefined && CLOSING_CODES.has(response.code))
    if (distrusted) connection.expectUnread()
    const closes = distrusted || endsConnection(bodyBytes) || this.#context.draining
    if (closes) connection.closing = true
    connection.addQueued(res)
    write(res, response, closes)
    this.#watchUnread(connection, res)
    if (bodyBytes > 0) {
      const source = new Http1Body(res.req)
      new DiscardedBody(this.#context.discardDeadlines, connection, source, res)
    }
  }

  /** Ends the connection when its client does not read the response in time. The time starts with the response's turn. */
  #watchUnread({ socket }: ClientConnection, res: ServerResponse): void {
    const watch = () => new UnreadResponse(this.#context, res, () => socket.destroy())
    if (res.socket === null) res.once('socket', watch)
    else if (res.socket.writableLength > 0) watch()
  }

  #upgradeRequested(req: IncomingMessage, socket: Socket, head: Buffer): void {
    const connection = this.#connections.of(req.socket)
    if (connection === undefined) {
      socket.destroy()
      return
    }
    const startedAtMs = this.#context.clock.now()
    // The listener of 'close', which follows each error, cleans up.
    socket.on('error', () => socket.destroy())
    connection.requestBegan()
    if (ignores(connection)) {
      // The response to an earlier request closes the connection.
      socket.resume()
      return
    }
    this.#context.counters.requests += 1
    const admitted = this.#admission.admit(req, connection, 'upgrade')
    if (admitted.kind === 'tunnel' && this.#tunnels !== undefined) {
      this.#acceptTunnel(this.#tunnels, connection, admitted, { req, head, startedAtMs })
      return
    }
    if (admitted.kind !== 'routed') {
      const code = admitted.kind === 'refused' ? admitted.code : 'route_not_found'
      this.#respondLocally(req, connection, startedAtMs, admitted, this.#problem(admitted, code))
      return
    }
    this.#capture(admitted, req)
    const decision = mayUpgrade(req, connection.inFlightCount)
      ? this.#decide(admitted, connection)
      : problemOf(admitted, 'bad_request')
    if (decision !== undefined && !(decision instanceof Promise)) {
      this.#respondLocally(req, connection, startedAtMs, admitted, decision)
      return
    }
    const side = new Http1UpgradeSide(connection, req, admitted.upgrade)
    const upgrade = new Upgrade(this.#context, connection, admitted, startedAtMs, side)
    if (decision === undefined) upgrade.start(head)
    else {
      upgrade.suspend()
      void decision.then(response => upgrade.decided(response, head))
    }
  }

  #acceptTunnel(
    tunnels: TunnelAcceptor,
    connection: ClientConnection,
    request: UnroutedRequest,
    received: { readonly req: IncomingMessage; readonly head: Buffer; readonly startedAtMs: number },
  ): void {
    const { socket } = connection
    const { req, head, startedAtMs } = received
    const { requestId, accept, clientAddress } = request
    this.#connections.forget(socket)
    tunnels.accept({
      req,
      socket,
      head,
      remoteAddress: clientAddress,
      requestId,
      refuse: (code, detail, extraFields) => {
        const problem = makeProblem(code, { requestId, accept, detail, extraFields, allow: 'GET' })
        noteLocalResponse(this.#context, startedAtMs, req.method, request, problem)
        connection.respondAndClose(responseBytes(problem, req.method))
      },
    })
  }

  #connectRequested(req: IncomingMessage, socket: Duplex): void {
    socket.on('error', () => socket.destroy())
    const connection = this.#connections.of(socket)
    if (connection === undefined) {
      socket.destroy()
      return
    }
    const startedAtMs = this.#context.clock.now()
    socket.resume()
    connection.requestBegan()
    if (ignores(connection)) return
    this.#context.counters.requests += 1
    const admitted = this.#admission.admit(req, connection, 'http')
    const problem = this.#problem(admitted, 'method_not_allowed')
    // The access line of a CONNECT names no route, because its target is not a resource of Plugboard.
    this.#respondLocally(req, connection, startedAtMs, { ...admitted, route: undefined }, problem)
  }

  /** Handles an error of the parser or the socket. Earlier requests of the connection still get their responses first. */
  #clientFailed(error: NodeJS.ErrnoException, socket: Duplex): void {
    const connection = this.#connections.of(socket)
    if (connection === undefined || error.code === 'ECONNRESET' || socket.destroyed) {
      socket.destroy()
      return
    }
    const code = codeOfParserError(error, this.#limits.maxTargetBytes)
    // A client that was too slow gets no more time.
    if (code !== 'request_timeout') connection.expectUnread()
    // Bytes behind a request with `Connection: close` get no response.
    if (error.code === 'HPE_CLOSED_CONNECTION' || connection.bodyBroke(error)) connection.closing = true
    if (connection.closing) return
    if (!socket.writable) {
      socket.destroy()
      return
    }
    this.refuse(connection, code, error.code)
  }

  /** Responds to bytes that never became a request, and closes the connection. `detail`: the fault, for the log. */
  refuse(connection: ClientConnection, code: ErrorCode, detail: string | undefined): void {
    if (connection.closing) return
    const { refusals } = this.#context
    const requestId = refusals.newId()
    const problem = makeProblem(code, { requestId })
    const { remoteAddress: clientAddress, proto, served, acceptedAtMs } = connection
    const startedAtMs = served ? undefined : acceptedAtMs
    const bytesOut = problem.body.length
    refusals.note({ clientAddress, proto, code, detail, startedAtMs, requestId, bytesOut })
    connection.respondAndClose(responseBytes(problem))
  }

  /** Responds on a socket that Node's HTTP server has detached, and closes the connection. */
  #respondLocally(
    req: IncomingMessage,
    connection: ClientConnection,
    startedAtMs: number,
    request: AnsweredRequest,
    response: ProxyResponse,
  ): void {
    noteLocalResponse(this.#context, startedAtMs, req.method, request, response)
    connection.expectUnread()
    connection.respondAndClose(responseBytes(response, req.method))
  }
}

/** True when the connection takes no more requests. Bytes after the last request are discarded. */
function ignores(connection: ClientConnection): boolean {
  const refused = connection.refusesRequests()
  if (refused) connection.expectUnread()
  return refused
}

function write(res: ServerResponse, response: ProxyResponse, closes: boolean): void {
  const { status, statusText, fields, body } = response
  if (closes) fields.push('Connection', closingConnection(response))
  res.writeHead(status, statusText, fields)
  res.end(body)
}
