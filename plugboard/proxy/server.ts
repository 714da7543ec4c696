// The public port: the listeners, the client connections on them and on the HTTPS port, and how all of them are closed.
// http1/server.ts and http2/server.ts implement the protocols on a connection.

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { type Clock, systemClock, type Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { Gatekeeper } from '../access/gatekeeper.ts'
import { UuidV7 } from '../common/ids/uuid-v7.ts'
import { addressGroup } from '../common/net/address-group.ts'
import { ServiceDecisions } from '../common/service-decisions.ts'
import { Limiter } from '../limits/limiter.ts'
import { RouteLimits } from '../limits/route-limits.ts'
import type { RequestMetrics } from '../metrics/request-metrics.ts'
import type { Inspector } from '../observe/exchanges/inspector.ts'
import type { ReplayRequest, ReplayResult } from '../observe/exchanges/replay-types.ts'
import type { Directory } from '../routes/directory.ts'
import type { DryRequest, DryResult } from '../routes/dry-run-types.ts'
import { OutboundNetworks } from '../routes/options/outbound-networks.ts'
import { CircuitBreakers } from '../telephones/breaker/circuit-breakers.ts'
import type { LinePicker } from '../telephones/picker/line-picker.ts'
import type { TunnelAcceptor } from '../telephones/tunnel-endpoint.ts'
import { WaitingRequests } from './attempts/waiting-requests.ts'
import { RequestCapture } from './capture/request-capture.ts'
import type { ClientConnection } from './connections/client-connection.ts'
import { ClientConnections } from './connections/client-connections.ts'
import {
  clientAddressOf,
  ProxyProtocolGate,
  type ProxyProtocolOptions,
} from './connections/proxy-protocol-gate.ts'
import { type ProxyUse, TrustedProxies } from './connections/trusted-proxies.ts'
import { countRefusal, createProxyCounters, type ProxyCounters } from './counters.ts'
import { Deadlines } from './deadlines.ts'
import { Admission } from './edge/admission.ts'
import type { Via } from './edge/via.ts'
import { Http1Server } from './http1/server.ts'
import { readFirstBytes } from './http2/preface.ts'
import { Http2Server } from './http2/server.ts'
import { Mirrors } from './mirror/mirrors.ts'
import type { ChallengeResponses } from './policy/challenge-response.ts'
import { dryRun } from './policy/dry-run.ts'
import type { HttpsPolicy } from './policy/https-policy.ts'
import { RequestPolicy } from './policy/request-policy.ts'
import type { ActiveRequests, LineRecovery, ProxyContext } from './proxy-context.ts'
import { DEFAULT_PROXY_LIMITS, type ProxyLimits, UNFINISHED_SHARE } from './proxy-limits.ts'
import { Replays } from './replay/replays.ts'
import { type AccessSink, accessLog } from './report/access-log.ts'
import type { RequestObserver } from './report/finished-request.ts'
import { countInMetrics } from './report/metrics-observer.ts'
import { RefusalLog } from './report/refusal-log.ts'
import { recordServiceErrors, ServiceErrors } from './report/service-errors.ts'
import { endSpans } from './report/trace-observer.ts'
import { allowedMethods } from './response/local-responses.ts'
import { RequestTracing, type TracedShare } from './trace/request-tracing.ts'

export interface ProxyOptions {
  readonly directory: Pick<Directory, 'match'>
  readonly picker: LinePicker
  readonly tunnels?: TunnelAcceptor | undefined
  /** Addresses and CIDR ranges of proxies whose X-Forwarded-* and Forwarded are used. */
  readonly trustedProxies?: readonly string[] | undefined
  /** Connections of trusted proxies begin with a PROXY header. */
  readonly proxyProtocol?: boolean | undefined
  /** The networks that URLs in routes may lead to. Default: public addresses. */
  readonly outbound?: OutboundNetworks | undefined
  /** True when the public port accepts HTTP/2 without TLS as well. */
  readonly http2Cleartext?: boolean | undefined
  readonly limits?: Partial<ProxyLimits> | undefined
  /** Present when there is an HTTPS listener, which passes its connections to `accept`. */
  readonly https?: HttpsPolicy | undefined
  /** Present when certificates are ordered from an ACME authority, which sends its challenge requests to this port. */
  readonly challenges?: ChallengeResponses | undefined
  readonly via: Via
  /** Selects whether request fields with `_` in their name are forwarded or dropped. Default: `pass`. */
  readonly underscoreHeaders?: 'pass' | 'drop' | undefined
  /** True when TRACE is served. Default: false, and TRACE gets 405. */
  readonly allowTrace?: boolean | undefined
  readonly log: Logger
  /** Receives the access lines. Absent: there is no access log. */
  readonly access?: AccessSink | undefined
  /** The part of the access lines to write. Default: 1. */
  readonly accessSample?: number | undefined
  /** True when reports contain User-Agent. */
  readonly reportsUserAgent?: boolean | undefined
  /** Further observers of finished requests. */
  readonly observers?: readonly RequestObserver[] | undefined
  /** Traces a part of the requests. Default: none is traced. */
  readonly tracing?: TracedShare | undefined
  /** Keeps exchanges of inspected services. Absent: no exchange is kept. */
  readonly inspector?: { readonly inspector: Inspector; readonly replicaId: string } | undefined
  /** Counts requests and measures their parts. Default: they are not measured. */
  readonly metrics?: RequestMetrics | undefined
  readonly clock?: Clock | undefined
  /** In a cluster: the state of the recovery of lines. */
  readonly recovery?: LineRecovery | undefined
  /** Checks the limits of routes and services. Default: a limiter of this replica alone. */
  readonly limiter?: Limiter | undefined
  /** The limits of the rows of the directory. Default: limits whose decisions no one reads. */
  readonly routeLimits?: RouteLimits | undefined
  /** Returns true while the process is short of memory. Then new requests get `overloaded`. */
  readonly overloaded?: (() => boolean) | undefined
}

const IDLE_CLOSE_INTERVAL_MS = 100
/** Idle connections can be very many, and their timeout is long. This factor makes their checks rarer than those of requests. */
const IDLE_INTERVALS = 5

export class ProxyServer {
  readonly counters: ProxyCounters = createProxyCounters()
  /** Requests with a route that are in progress. */
  readonly active: ActiveRequests = { http: 0, https: 0 }
  /** The last failure of each service. */
  readonly serviceErrors = new ServiceErrors()
  readonly #limits: ProxyLimits
  readonly #log: Logger
  readonly #trusted: TrustedProxies
  readonly #context: ProxyContext
  readonly #connections: ClientConnections
  readonly #http1: Http1Server
  readonly #http2: Http2Server
  readonly #gate: ProxyProtocolGate | undefined
  /** The listeners of all addresses but the first. */
  readonly #listeners: Server[] = []
  readonly #replays: Replays
  readonly #edge: { readonly admission: Admission; readonly policy: RequestPolicy }
  /** Connections whose version of HTTP is not known before their first bytes arrive. */
  readonly #undecided = new Set<Socket>()

  constructor(options: ProxyOptions) {
    const clock = options.clock ?? systemClock
    const limits = { ...DEFAULT_PROXY_LIMITS, ...options.limits }
    const trusted = new TrustedProxies(options.trustedProxies ?? [])
    const ids = new UuidV7(() => clock.wallTime())
    const { limiter = new Limiter() } = options
    const capture = options.inspector && new RequestCapture({ ...options.inspector, clock })
    const observers = this.#observers(options, clock, capture)
    this.#limits = limits
    this.#log = options.log
    this.#trusted = trusted
    const decisions = new ServiceDecisions()
    this.#context = {
      picker: options.picker,
      clock,
      limiter,
      deadlines: new Deadlines(clock, limits.deadlineIntervalMs),
      discardDeadlines: new Deadlines(clock, limits.deadlineIntervalMs),
      idleDeadlines: new Deadlines(clock, limits.deadlineIntervalMs * IDLE_INTERVALS),
      counters: this.counters,
      decisions,
      active: this.active,
      metrics: options.metrics,
      breakers: new CircuitBreakers({
        clock,
        log: options.log,
        onOpen: id => {
          this.counters.breakersOpened += 1
          decisions.of(id).breakerOpened += 1
        },
      }),
      waiting: new WaitingRequests({
        clock,
        counters: this.counters,
        decisions,
        clientSharePercent: limits.clientSharePercent,
        whenLinesChange: listener => options.picker.whenLinesChange(listener),
      }),
      capture,
      mirrors: new Mirrors({ picker: options.picker, clock, counters: this.counters, log: options.log }),
      observers,
      refusals: new RefusalLog({
        ids,
        observers,
        counters: this.counters,
        metrics: options.metrics,
        clock,
        log: options.log,
      }),
      log: options.log,
      via: options.via,
      underscoreHeaders: options.underscoreHeaders ?? 'pass',
      recovery: options.recovery,
      bodyIdleTimeoutMs: limits.bodyIdleTimeoutMs,
      minBodyRateBytes: limits.minBodyRateBytes,
      draining: false,
    }
    this.#connections = new ClientConnections({
      max: limits.maxConnections,
      maxPerAddress: limits.maxConnectionsPerAddress,
      clientSharePercent: limits.clientSharePercent,
      trusted,
      counters: this.counters,
      deadlines: this.#context.discardDeadlines,
      clock,
    })
    const gatekeeper = new Gatekeeper({
      clock,
      log: options.log,
      outbound: options.outbound ?? new OutboundNetworks([]),
    })
    const shared = {
      context: this.#context,
      admission: new Admission({
        directory: options.directory,
        limits,
        ids,
        trusted,
        gatekeeper,
        via: options.via,
        underscoreHeaders: options.underscoreHeaders ?? 'pass',
        allowTrace: options.allowTrace ?? false,
        readsUserAgent: options.reportsUserAgent ?? false,
        hsts: options.https?.hsts ?? '',
        tracing: options.tracing && new RequestTracing({ ...options.tracing, clock }),
      }),
      policy: new RequestPolicy({
        https: options.https,
        overloaded: options.overloaded ?? (() => false),
        gatekeeper,
        limiter,
        routeLimits: options.routeLimits ?? new RouteLimits(),
        clock,
        allowedMethods: allowedMethods(options.allowTrace ?? false),
      }),
      limits,
    }
    this.#edge = shared
    this.#replays = new Replays(shared)
    const { tunnels, challenges } = options
    this.#http1 = new Http1Server({
      ...shared,
      connections: this.#connections,
      tunnels,
      challenges,
      accepted: socket => this.#accepted(socket, options.http2Cleartext === true),
    })
    this.#http2 = new Http2Server(shared)
    if (options.proxyProtocol === true) this.#gate = new ProxyProtocolGate(this.#http1.tcp, this.gateOptions)
  }

  #observers(options: ProxyOptions, clock: Clock, capture: RequestCapture | undefined): RequestObserver[] {
    const { access, accessSample = 1, metrics, tracing, observers = [] } = options
    const errors = recordServiceErrors(this.serviceErrors, () => clock.wallTime())
    const line = access === undefined ? [] : [accessLog(access, accessSample, Math.random())]
    const counts = metrics === undefined ? [] : [countInMetrics(metrics)]
    const spans = tracing === undefined ? [] : [endSpans]
    const captured = capture === undefined ? [] : [capture.observe]
    return [errors, ...line, ...counts, ...spans, ...captured, ...observers]
  }

  /** Returns how this port would serve a request, without serving it. */
  dryRun(request: DryRequest): Promise<DryResult> {
    return dryRun(request, this.#edge)
  }

  /** Sends a captured request again. Resolves when it has ended, and never rejects. */
  replay(request: ReplayRequest): Promise<ReplayResult> {
    return this.#replays.send(request)
  }

  /** The options of the PROXY protocol for another listener that passes its connections to `accept`. */
  get gateOptions(): ProxyProtocolOptions {
    return {
      trusted: this.#trusted,
      timeoutMs: this.#limits.headTimeoutMs,
      maxWaiting: Math.ceil(this.#limits.maxConnections * UNFINISHED_SHARE),
      clock: this.#context.clock,
      onOverflow: () => countRefusal(this.counters, 'max_connections'),
      onRefused: (socket, error) => {
        countRefusal(this.counters, 'proxy_header')
        const { remoteAddress } = socket
        this.#log.warn('a trusted proxy sent no PROXY header', { remoteAddress, detail: error.message })
      },
    }
  }

  /**
   * Listens on one address; call it once for each. Rejects with Node's error (EADDRINUSE, EACCES, …). Port 0 takes a free port.
   */
  listen(port: number, host?: string): Promise<AddressInfo> {
    const { tcp } = this.#http1
    const listener: Server = tcp.listening ? this.#createListener() : tcp
    return new Promise((resolve, reject) => {
      listener.once('error', reject)
      listener.listen({ port, host, backlog: 1024 }, () => {
        listener.removeListener('error', reject)
        listener.on('error', error => this.#log.error('public listener failed', { err: error }))
        if (listener !== tcp) this.#listeners.push(listener)
        resolve(listener.address() as AddressInfo)
      })
    })
  }

  /** Returns a listener for a further address. It passes its connections to the HTTP server, which can listen on one only. */
  #createListener(): Server {
    const { tcp } = this.#http1
    const options = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }
    return createServer(options, socket => void tcp.emit('connection', socket))
  }

  /** Returns the client's group for limits per client. Returns undefined for a trusted proxy, because it has many clients. */
  clientOf(transport: Socket): string | undefined {
    const address = clientAddressOf(transport)
    return this.#trusted.trusts(address) ? undefined : addressGroup(address)
  }

  /** The use of each entry of `trustedProxies` since the start. */
  get proxyUses(): readonly ProxyUse[] {
    return this.#trusted.uses
  }

  /** True when one more connection is within the limit. */
  get hasRoom(): boolean {
    return this.#connections.hasRoom
  }

  /** Serves a connection of the HTTPS listener like one of the public port. `transport`: the TCP connection under it. */
  accept(socket: TLSSocket, transport: Socket): void {
    const connection = this.#connections.open(socket, transport)
    if (connection === undefined) return
    if (socket.alpnProtocol === 'h2') this.#http2.serve(connection)
    else this.#http1.serve(socket)
  }

  /** The number of open client connections. */
  get connectionCount(): number {
    return this.#connections.size
  }

  /** The number of services whose circuit breaker is not closed. */
  get openBreakerCount(): number {
    return this.#context.breakers.openCount
  }

  /** The number of requests that wait for a process with room, or for a telephone. */
  get waitingCount(): number {
    return this.#context.waiting.size
  }

  /** The parts with the state of the traffic policy of each service. */
  get policyParts(): Pick<ProxyContext, 'breakers' | 'waiting' | 'decisions'> {
    return this.#context
  }

  /** The number of exchanges and upgraded connections in flight. */
  get inFlightCount(): number {
    return this.#context.deadlines.size
  }

  /**
   * Keeps serving, but closes each connection after its response, and sends no more copies of requests. Behind a load balancer of connections, clients then
   * reconnect to other replicas before this port closes.
   */
  leave(): void {
    if (this.#context.draining) return
    this.#context.draining = true
    this.#context.mirrors.close()
    this.#http2.leave()
  }

  /**
   * Stops accepting, and closes each connection after its response. Waits at most `graceMs` for exchanges and upgraded
   * connections, then destroys the remaining connections. Resolves when no client connection is open. Tunnels stay open.
   */
  async drain(graceMs: number): Promise<void> {
    const empty = this.#stopAccepting()
    if (empty === undefined) {
      this.#replays.close()
      return
    }
    const { clock } = this.#context
    let timer: Timer | undefined
    const closeIdle = (): void => {
      this.#http1.tcp.closeIdleConnections()
      timer = clock.after(IDLE_CLOSE_INTERVAL_MS, closeIdle)
    }
    closeIdle()
    const grace = clock.after(graceMs, () => this.#cutAll())
    await empty
    grace.cancel()
    timer?.cancel()
    this.#replays.close()
    this.#context.refusals.flush()
  }

  /** Stops accepting, and destroys all client connections at once. */
  async close(): Promise<void> {
    const empty = this.#stopAccepting()
    this.#replays.close()
    if (empty === undefined) return
    this.#connections.cutAll()
    await empty
    this.#context.refusals.flush()
  }

  #cutAll(): void {
    this.#replays.close()
    this.#connections.cutAll()
  }

  #accepted(socket: Socket, maybeHttp2: boolean): void {
    const connection = this.#connections.open(socket)
    if (connection === undefined) return
    if (!maybeHttp2) {
      this.#http1.serve(socket)
      return
    }
    const { clock } = this.#context
    const timeoutMs = this.#limits.headTimeoutMs
    const acceptedMs = clock.now()
    this.#undecided.add(socket)
    socket.once('close', () => this.#undecided.delete(socket))
    readFirstBytes(socket, { clock, timeoutMs }, first => {
      this.#undecided.delete(socket)
      if (first === 'http2') {
        // An HTTP/1 client that has ended its side still gets its response. An HTTP/2 session gets no event for that end, so
        // the socket must close itself.
        socket.allowHalfOpen = false
        this.#http2.serve(connection, acceptedMs)
      } else if (first === 'http1') {
        // Node's own timer starts with the first head. This one started when the connection was accepted.
        connection.awaitFirstRequest(clock, timeoutMs - (clock.now() - acceptedMs), () =>
          this.#late(connection),
        )
        this.#http1.serve(socket)
      } else {
        this.#late(connection)
      }
    })
  }

  #late(connection: ClientConnection): void {
    this.#http1.refuse(connection, 'request_timeout', 'no head in time')
  }

  /** Returns a promise that resolves when the last client connection has closed; undefined when no connection is open. */
  #stopAccepting(): Promise<void> | undefined {
    this.leave()
    this.#http1.tcp.close()
    for (const listener of this.#listeners) listener.close()
    this.#http2.drain()
    for (const socket of this.#undecided) socket.destroy()
    this.#gate?.close()
    this.#context.refusals.flush()
    return this.#connections.untilEmpty()
  }
}
