// The public port: Node's own HTTP server, kept strict, and the one place where its events are turned into
// exchanges, upgrades, tunnels and refusals. It owns the listener, the connections and their limits.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Clock, systemClock, type Timer } from '@vera-stack/shared/clock.ts'
import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { RequestIds } from '@vera-stack/shared/request-id.ts'
import type { Directory } from '../routes/directory.ts'
import type { LinePicker } from '../telephones/line-picker.ts'
import type { TunnelAcceptor } from '../telephones/tunnel-endpoint.ts'
import type { AccessSink } from './access.ts'
import { AddressCounts, addressGroup } from './address-counts.ts'
import { Admission } from './admission.ts'
import { ALLOWED_METHODS, answerBytes, makeProblem, problemBytes } from './answers.ts'
import { answerChallenge, type ChallengeAnswers, challengeToken } from './challenge-answer.ts'
import { ClientConnection } from './client-connection.ts'
import { countProblem, createProxyCounters, type ProxyCounters } from './counters.ts'
import { Deadlines } from './deadlines.ts'
import { DiscardedBody } from './discarded-body.ts'
import { Exchange } from './exchange.ts'
import type { RoutedRequest } from './forwarding.ts'
import { type HttpsPolicy, httpsLocation, redirectFields } from './https-policy.ts'
import { codeOfParserError } from './parser-error.ts'
import type { LineRecovery, ProxyContext } from './proxy-context.ts'
import { DEFAULT_PROXY_LIMITS, type ProxyLimits } from './proxy-limits.ts'
import { ProxyProtocolGate, type ProxyProtocolOptions } from './proxy-protocol-gate.ts'
import { RequestRates } from './request-rates.ts'
import { TrustedProxies } from './trusted-proxies.ts'
import { Upgrade } from './upgrade.ts'
import { mayUpgrade } from './upgrade-request.ts'

export interface ProxyOptions {
  readonly directory: Pick<Directory, 'match'>
  readonly picker: LinePicker
  readonly tunnels?: TunnelAcceptor | undefined
  /** Addresses and CIDR ranges whose X-Forwarded-* and Forwarded are believed. */
  readonly trustedProxies?: readonly string[] | undefined
  /** Connections of trusted proxies begin with a PROXY header. */
  readonly proxyProtocol?: boolean | undefined
  readonly limits?: Partial<ProxyLimits> | undefined
  /** When there is an HTTPS listener, which hands its connections to `accept`. */
  readonly https?: HttpsPolicy | undefined
  /** When certificates are ordered from an authority, which asks on this port. */
  readonly challenges?: ChallengeAnswers | undefined
  readonly log: Logger
  readonly access?: AccessSink | undefined
  readonly clock?: Clock | undefined
  /** In a cluster: whether lines may come back in a moment. */
  readonly recovery?: LineRecovery | undefined
  /** True while the process is short of memory: new requests get `overloaded`. */
  readonly overloaded?: (() => boolean) | undefined
}

/** Codes after which what follows on the connection cannot be trusted. */
const CLOSING_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'bad_request',
  'uri_too_long',
  'headers_too_large',
  'expectation_failed',
])

const IDLE_CLOSE_INTERVAL_MS = 100

export class ProxyServer {
  readonly counters: ProxyCounters = createProxyCounters()
  readonly #options: ProxyOptions
  readonly #limits: ProxyLimits
  readonly #server: Server
  readonly #gate: ProxyProtocolGate | undefined
  readonly #trusted: TrustedProxies
  readonly #connections = new Map<Duplex, ClientConnection>()
  /** Of connections from clients themselves. */
  readonly #addresses: AddressCounts
  readonly #rates = new RequestRates()
  /** What lies beneath connections that were decrypted. */
  readonly #transports = new WeakMap<Duplex, Socket>()
  readonly #context: ProxyContext
  readonly #admission: Admission
  #whenEmpty: (() => void) | undefined

  constructor(options: ProxyOptions) {
    const clock = options.clock ?? systemClock
    this.#options = options
    this.#limits = { ...DEFAULT_PROXY_LIMITS, ...options.limits }
    this.#trusted = new TrustedProxies(options.trustedProxies ?? [])
    this.#addresses = new AddressCounts(this.#limits.maxConnectionsPerAddress)
    this.#context = {
      picker: options.picker,
      clock,
      deadlines: new Deadlines(clock, this.#limits.deadlineIntervalMs),
      counters: this.counters,
      access: options.access ?? (() => undefined),
      log: options.log,
      recovery: options.recovery,
      bodyIdleTimeoutMs: this.#limits.bodyIdleTimeoutMs,
      draining: false,
    }
    this.#admission = new Admission({
      directory: options.directory,
      limits: this.#limits,
      ids: new RequestIds(() => clock.wallTime()),
      trusted: this.#trusted,
    })
    this.#server = this.#createServer()
    if (options.proxyProtocol === true) this.#gate = new ProxyProtocolGate(this.#server, this.gateOptions)
  }

  /** For another listener whose connections come here. */
  get gateOptions(): ProxyProtocolOptions {
    return {
      trusted: this.#trusted,
      timeoutMs: this.#limits.headTimeoutMs,
      clock: this.#context.clock,
      onRefused: (socket, error) => {
        this.counters.connectionsRefused += 1
        const { remoteAddress } = socket
        this.#options.log.warn('a trusted proxy sent no PROXY header', {
          remoteAddress,
          detail: error.message,
        })
      },
    }
  }

  /** Rejects with Node's error (EADDRINUSE, EACCES, …). Port 0 takes a free one. */
  listen(port: number, host?: string): Promise<AddressInfo> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ port, host, backlog: 1024 }, () => {
        this.#server.removeListener('error', reject)
        this.#server.on('error', error => this.#options.log.error('public listener failed', { err: error }))
        resolve(this.#server.address() as AddressInfo)
      })
    })
  }

  /** False: a further connection would be one too many. */
  get hasRoom(): boolean {
    return this.#connections.size < this.#limits.maxConnections
  }

  /** Serves a connection of the HTTPS listener as one of its own. `transport`: the TCP connection beneath it. */
  accept(socket: Socket, transport: Socket): void {
    this.#transports.set(socket, transport)
    if (this.#gate === undefined) this.#server.emit('connection', socket)
    else this.#gate.serve(socket)
  }

  /** Exchanges and upgraded connections in flight. */
  get inFlightCount(): number {
    return this.#context.deadlines.size
  }

  /**
   * Serves on, but closes each connection with its answer: clients behind a balancer that knows connections only
   * come back elsewhere before this port closes.
   */
  leave(): void {
    this.#context.draining = true
  }

  /**
   * Accepts no more, closes each connection with its answer, waits for exchanges and upgraded connections at most
   * `graceMs`, then cuts what is left. Resolves when no client connection is open; tunnels are not its business.
   */
  async drain(graceMs: number): Promise<void> {
    const empty = this.#stopAccepting()
    if (empty === undefined) return
    const { clock } = this.#context
    let timer: Timer | undefined
    const closeIdle = (): void => {
      this.#server.closeIdleConnections()
      timer = clock.after(IDLE_CLOSE_INTERVAL_MS, closeIdle)
    }
    closeIdle()
    const grace = clock.after(graceMs, () => this.#cutAll())
    await empty
    grace.cancel()
    timer?.cancel()
  }

  /** Cuts everything. */
  async close(): Promise<void> {
    const empty = this.#stopAccepting()
    if (empty === undefined) return
    this.#cutAll()
    await empty
  }

  /** Resolves when the last client connection is gone; undefined: there is none. */
  #stopAccepting(): Promise<void> | undefined {
    this.leave()
    this.#server.close()
    this.#gate?.close()
    if (this.#connections.size === 0) return undefined
    return new Promise(resolve => {
      this.#whenEmpty = resolve
    })
  }

  #createServer(): Server {
    const limits = this.#limits
    const server = createServer({
      insecureHTTPParser: false,
      // Looked at here, with all other Hosts that Node lets through.
      requireHostHeader: false,
      maxHeaderSize: limits.maxHeadBytes,
      headersTimeout: limits.headTimeoutMs,
      // A slow body that moves is never cut; one that does not is cut by the exchange's own idle timeout.
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(1000, Math.ceil(limits.headTimeoutMs / 4)),
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      optimizeEmptyRequests: true,
      shouldUpgradeCallback: (req: IncomingMessage) =>
        this.#connections.get(req.socket)?.closing !== true &&
        mayUpgrade(req, this.#connections.get(req.socket)?.inFlightCount ?? 0),
    })
    // No silent cut: Node would drop the headers past this number; `maxHeaders` refuses the request instead.
    server.maxHeadersCount = 0
    server.maxConnections = limits.maxConnections
    server.on('connection', (socket: Socket) => this.#connected(socket))
    server.on('drop', () => {
      this.counters.connectionsRefused += 1
    })
    const { challenges } = this.#options
    if (challenges === undefined) server.on('request', (req, res) => this.#requested(req, res))
    else server.on('request', (req, res) => void this.#maybeChallenged(challenges, req, res))
    server.on('checkContinue', (req, res) => this.#continueRequested(req, res))
    server.on('checkExpectation', (req, res) => this.#requested(req, res))
    server.on('upgrade', (req, socket, head) => this.#upgradeRequested(req, socket as Socket, head))
    server.on('connect', (req: IncomingMessage, socket: Duplex) => this.#connectRequested(req, socket))
    server.on('clientError', (error, socket) => this.#clientFailed(error, socket))
    return server
  }

  #connected(socket: Socket): void {
    this.counters.connections += 1
    const hsts = this.#options.https?.hsts ?? ''
    const transport = this.#transports.get(socket) ?? socket
    const connection = new ClientConnection(socket, this.#trusted, transport, hsts)
    if (!connection.trusted && !this.#addresses.add(addressGroup(connection.remoteAddress))) {
      this.counters.connectionsRefused += 1
      socket.on('error', () => undefined)
      socket.destroy()
      return
    }
    this.#connections.set(socket, connection)
    socket.once('close', () => {
      connection.gone()
      this.#forget(socket)
    })
  }

  /** Node closes a connection on which a 100 was expected and none was sent; without a body there is none. */
  #continueRequested(req: IncomingMessage, res: ServerResponse): void {
    const connection = this.#connections.get(req.socket)
    if (connection === undefined || connection.closing) return
    this.#requested(req, res)
    if (!this.#admission.hasBody) connection.closing = true
  }

  async #maybeChallenged(
    challenges: ChallengeAnswers,
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<void> {
    const token = challengeToken(req)
    const answer = token === undefined ? undefined : await challenges.http(token)
    if (answer === undefined) {
      this.#requested(req, res)
      return
    }
    this.counters.requests += 1
    answerChallenge(res, answer, this.#context.draining)
  }

  #requested(req: IncomingMessage, res: ServerResponse): void {
    const connection = this.#connections.get(req.socket)
    if (connection === undefined || connection.closing) return
    this.counters.requests += 1
    const admitted = this.#admission.admit(req, connection, 'http')
    if (admitted === 'options') {
      connection.addQueued(res)
      res.writeHead(204, ['Allow', ALLOWED_METHODS, 'X-Request-ID', this.#admission.requestId]).end()
      return
    }
    if (typeof admitted === 'string') {
      this.#refuse(req, res, admitted === 'tunnel' ? 'upgrade_required' : admitted)
      return
    }
    const code = this.#overload(connection) ?? this.#tooMany(admitted)
    if (code !== undefined) {
      this.#refuse(req, res, code)
      return
    }
    const location = this.#options.https && this.#redirect(this.#options.https, req, connection, admitted)
    if (location !== undefined) {
      const fields = redirectFields(location, admitted.requestId)
      if (this.#admission.hasBody || this.#context.draining) {
        fields.push('Connection', 'close')
        connection.closing = true
      }
      connection.addQueued(res)
      res.writeHead(308, fields).end()
      this.#note(req, undefined, 308, 0)
      return
    }
    new Exchange(this.#context, connection, admitted, req, res).start()
  }

  /** Where the request belongs; undefined: here. */
  #redirect(
    https: HttpsPolicy,
    req: IncomingMessage,
    connection: ClientConnection,
    { route, path }: RoutedRequest,
  ): string | undefined {
    const { redirectPort } = https
    const proto = (connection.trusted ? this.#admission.forwardedProto : undefined) ?? connection.proto
    if (redirectPort === undefined || proto !== 'http' || route.options.allowHttp) return undefined
    return httpsLocation(redirectPort, this.#admission.host, path, req.url ?? '')
  }

  #overload(connection: ClientConnection): ErrorCode | undefined {
    const busy = connection.inFlightCount >= this.#limits.maxPipelined
    return busy || this.#options.overloaded?.() === true ? 'overloaded' : undefined
  }

  #tooMany({ route, clientAddress }: RoutedRequest): ErrorCode | undefined {
    const { id, policy } = route.service
    const perSecond = policy.maxRequestsPerSecond
    if (perSecond === null) return undefined
    const taken = this.#rates.take(id, clientAddress, perSecond, this.#context.clock.now())
    return taken ? undefined : 'rate_limited'
  }

  /** Answers with a problem; ends the connection when what follows on it cannot be trusted, or is of no use. */
  #refuse(req: IncomingMessage, res: ServerResponse, code: ErrorCode): void {
    const { requestId, accept, hasBody } = this.#admission
    const problem = makeProblem(code, { requestId, accept })
    const connection = this.#connections.get(req.socket)
    const closes = CLOSING_CODES.has(code) || this.#admission.upgrade !== '' || this.#context.draining
    if (closes) {
      problem.fields.push('Connection', code === 'upgrade_required' ? 'close, Upgrade' : 'close')
      if (connection !== undefined) connection.closing = true
    }
    connection?.addQueued(res)
    res.writeHead(problem.status, problem.statusText, problem.fields)
    res.end(problem.body)
    if (hasBody && connection !== undefined) new DiscardedBody(this.#context, connection, req)
    this.#note(req, code, problem.status, problem.body.length)
  }

  #upgradeRequested(req: IncomingMessage, socket: Socket, head: Buffer): void {
    const connection = this.#connections.get(req.socket)
    if (connection === undefined) {
      socket.destroy()
      return
    }
    // Whatever the error is, 'close' follows and tells everyone.
    socket.on('error', () => socket.destroy())
    if (connection.closing) {
      // Behind a request that was the last one: the answer to that is on its way, and closes the connection.
      socket.resume()
      return
    }
    this.counters.requests += 1
    const admitted = this.#admission.admit(req, connection, 'upgrade')
    if (admitted === 'tunnel' && this.#options.tunnels !== undefined) {
      this.#forget(socket)
      const { requestId, accept, clientAddress: remoteAddress } = this.#admission
      this.#options.tunnels.accept({
        ...{ req, socket, head, remoteAddress, requestId },
        refuse: (code, detail, extraFields) => {
          const problem = makeProblem(code, { requestId, accept, detail, extraFields })
          countProblem(this.counters, code)
          connection.sayAndClose(problemBytes(problem, req.method))
        },
      })
      return
    }
    if (admitted === 'tunnel' || admitted === 'options') {
      this.#say(req, connection, 'route_not_found')
      return
    }
    if (typeof admitted === 'string') {
      this.#say(req, connection, admitted)
      return
    }
    const code = mayUpgrade(req, connection.inFlightCount)
      ? (this.#overload(connection) ?? this.#tooMany(admitted))
      : 'bad_request'
    if (code !== undefined) {
      this.#say(req, connection, code)
      return
    }
    const location = this.#options.https && this.#redirect(this.#options.https, req, connection, admitted)
    if (location !== undefined) {
      this.#note(req, undefined, 308, 0)
      connection.sayAndClose(answerBytes(308, redirectFields(location, admitted.requestId)))
      return
    }
    new Upgrade(this.#context, connection, admitted, req, this.#admission.upgrade).start(head)
  }

  #connectRequested(req: IncomingMessage, socket: Duplex): void {
    socket.on('error', () => socket.destroy())
    const connection = this.#connections.get(socket)
    if (connection === undefined) {
      socket.destroy()
      return
    }
    socket.resume()
    if (connection.closing) return
    this.counters.requests += 1
    this.#admission.admit(req, connection, 'http')
    this.#say(req, connection, 'method_not_allowed')
  }

  /** The parser, or the socket, has failed. What Node has parsed before stays in order. */
  #clientFailed(error: NodeJS.ErrnoException, socket: Duplex): void {
    const connection = this.#connections.get(socket)
    if (connection === undefined || error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    // Bytes behind a request that was the last one by its own word: there is nothing to say to them.
    if (error.code === 'HPE_CLOSED_CONNECTION' || connection.bodyBroke(error)) connection.closing = true
    if (connection.closing) return
    const code = codeOfParserError(error, this.#limits.maxTargetBytes)
    countProblem(this.counters, code)
    connection.sayAndClose(problemBytes(makeProblem(code, { requestId: '' })))
  }

  #say(req: IncomingMessage, connection: ClientConnection, code: ErrorCode): void {
    const { requestId, accept } = this.#admission
    const problem = makeProblem(code, { requestId, accept })
    this.#note(req, code, problem.status, problem.body.length)
    connection.sayAndClose(problemBytes(problem, req.method))
  }

  #note(req: IncomingMessage, code: ErrorCode | undefined, status: number, bytesOut: number): void {
    const { requestId, host, path, clientAddress: remoteAddress } = this.#admission
    const method = req.method ?? ''
    if (code !== undefined) countProblem(this.counters, code)
    this.#context.access({
      ...{ requestId, method, host, path, status, durationMs: 0, bytesIn: 0, bytesOut, remoteAddress, code },
    })
  }

  /** Once it is closed, or a tunnel's. */
  #forget(socket: Duplex): void {
    const connection = this.#connections.get(socket)
    if (connection === undefined) return
    this.#connections.delete(socket)
    if (!connection.trusted) this.#addresses.remove(addressGroup(connection.remoteAddress))
    if (this.#connections.size === 0) this.#whenEmpty?.()
  }

  #cutAll(): void {
    for (const connection of this.#connections.values()) connection.socket.destroy()
  }
}
