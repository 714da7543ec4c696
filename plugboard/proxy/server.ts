// The public port: the listener, the connections on it and on the HTTPS port beside it, and how all of them come to
// an end. What is spoken on a connection is http1-server.ts's and http2-server.ts's.

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { type Clock, systemClock, type Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { Gatekeeper } from '../access/gatekeeper.ts'
import { addressGroup } from '../common/address-group.ts'
import { RequestIds } from '../common/request-id.ts'
import type { Directory } from '../routes/directory.ts'
import type { DryRequest, DryResult } from '../routes/dry-run.ts'
import { OutboundNetworks } from '../routes/outbound-networks.ts'
import type { LinePicker } from '../telephones/lines/line-picker.ts'
import type { TunnelAcceptor } from '../telephones/tunnel-endpoint.ts'
import type { AccessSink } from './access.ts'
import type { ClientConnection } from './connections/client-connection.ts'
import { ClientConnections } from './connections/client-connections.ts'
import {
  clientAddressOf,
  ProxyProtocolGate,
  type ProxyProtocolOptions,
} from './connections/proxy-protocol-gate.ts'
import { TrustedProxies } from './connections/trusted-proxies.ts'
import { createProxyCounters, type ProxyCounters } from './counters.ts'
import { Deadlines } from './deadlines.ts'
import { Admission } from './edge/admission.ts'
import type { Via } from './edge/via.ts'
import { Http1Server } from './http1/server.ts'
import { readFirstBytes } from './http2/preface.ts'
import { Http2Server } from './http2/server.ts'
import type { ChallengeAnswers } from './policy/challenge-answer.ts'
import { dryRun } from './policy/dry-run.ts'
import type { HttpsPolicy } from './policy/https-policy.ts'
import { RequestPolicy } from './policy/request-policy.ts'
import { ServiceErrors } from './policy/service-errors.ts'
import type { LineRecovery, ProxyContext } from './proxy-context.ts'
import { DEFAULT_PROXY_LIMITS, type ProxyLimits, UNFINISHED_SHARE } from './proxy-limits.ts'
import { allowedMethods } from './response/answers.ts'
import { RefusalLog } from './response/refusal-log.ts'

export interface ProxyOptions {
  readonly directory: Pick<Directory, 'match'>
  readonly picker: LinePicker
  readonly tunnels?: TunnelAcceptor | undefined
  /** Addresses and CIDR ranges of proxies whose X-Forwarded-* and Forwarded are used. */
  readonly trustedProxies?: readonly string[] | undefined
  /** Connections of trusted proxies begin with a PROXY header. */
  readonly proxyProtocol?: boolean | undefined
  /** The networks that URLs in routes may lead to; default: public addresses. */
  readonly outbound?: OutboundNetworks | undefined
  /** HTTP/2 without TLS is understood on the public port, too. */
  readonly http2Cleartext?: boolean | undefined
  readonly limits?: Partial<ProxyLimits> | undefined
  /** When there is an HTTPS listener, which hands its connections to `accept`. */
  readonly https?: HttpsPolicy | undefined
  /** When certificates are ordered from an authority, which asks on this port. */
  readonly challenges?: ChallengeAnswers | undefined
  readonly via: Via
  /** Request fields whose name holds `_`. Default `pass`. */
  readonly underscoreHeaders?: 'pass' | 'drop' | undefined
  /** Default false: TRACE gets 405. */
  readonly allowTrace?: boolean | undefined
  readonly log: Logger
  readonly access?: AccessSink | undefined
  readonly clock?: Clock | undefined
  /** In a cluster: whether lines may come back in a moment. */
  readonly recovery?: LineRecovery | undefined
  /** True while the process is short of memory: new requests get `overloaded`. */
  readonly overloaded?: (() => boolean) | undefined
}

const IDLE_CLOSE_INTERVAL_MS = 100
/** Idle connections may be very many, and their time is long: they are checked this much less often than requests. */
const IDLE_INTERVALS = 5

export class ProxyServer {
  readonly counters: ProxyCounters = createProxyCounters()
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
  /** Of further addresses. */
  readonly #listeners: Server[] = []
  readonly #edge: { readonly admission: Admission; readonly policy: RequestPolicy }
  /** Their first bytes have yet to say what they speak. */
  readonly #undecided = new Set<Socket>()

  constructor(options: ProxyOptions) {
    const clock = options.clock ?? systemClock
    const limits = { ...DEFAULT_PROXY_LIMITS, ...options.limits }
    const trusted = new TrustedProxies(options.trustedProxies ?? [])
    const ids = new RequestIds(() => clock.wallTime())
    const { access } = options
    this.#limits = limits
    this.#log = options.log
    this.#trusted = trusted
    this.#context = {
      picker: options.picker,
      clock,
      deadlines: new Deadlines(clock, limits.deadlineIntervalMs),
      discardDeadlines: new Deadlines(clock, limits.deadlineIntervalMs),
      idleDeadlines: new Deadlines(clock, limits.deadlineIntervalMs * IDLE_INTERVALS),
      counters: this.counters,
      access,
      refusals: new RefusalLog({ ids, access, counters: this.counters, clock, log: options.log }),
      serviceErrors: this.serviceErrors,
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
        hsts: options.https?.hsts ?? '',
      }),
      policy: new RequestPolicy({
        https: options.https,
        overloaded: options.overloaded ?? (() => false),
        gatekeeper,
        clock,
        allowedMethods: allowedMethods(options.allowTrace ?? false),
      }),
      limits,
    }
    this.#edge = shared
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

  /** Finds out what this port would do with a request, and does none of it. */
  dryRun(request: DryRequest): Promise<DryResult> {
    return dryRun(request, this.#edge)
  }

  /** For another listener whose connections come here. */
  get gateOptions(): ProxyProtocolOptions {
    return {
      trusted: this.#trusted,
      timeoutMs: this.#limits.headTimeoutMs,
      maxWaiting: Math.ceil(this.#limits.maxConnections * UNFINISHED_SHARE),
      clock: this.#context.clock,
      onOverflow: () => {
        this.counters.connectionsRefused += 1
      },
      onRefused: (socket, error) => {
        this.counters.connectionsRefused += 1
        const { remoteAddress } = socket
        this.#log.warn('a trusted proxy sent no PROXY header', { remoteAddress, detail: error.message })
      },
    }
  }

  /**
   * Opens an address; call it for each. Rejects with Node's error (EADDRINUSE, EACCES, …). Port 0 takes a free one.
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

  /** One more listener for the HTTP server, which can have one address itself. */
  #createListener(): Server {
    const { tcp } = this.#http1
    const options = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }
    return createServer(options, socket => void tcp.emit('connection', socket))
  }

  /** Returns the client for limits per client. Undefined for a trusted proxy, because it has many clients. */
  clientOf(transport: Socket): string | undefined {
    const address = clientAddressOf(transport)
    return this.#trusted.trusts(address) ? undefined : addressGroup(address)
  }

  /** False: a further connection would be one too many. */
  get hasRoom(): boolean {
    return this.#connections.hasRoom
  }

  /** Serves a connection of the HTTPS listener as one of its own. `transport`: the TCP connection beneath it. */
  accept(socket: TLSSocket, transport: Socket): void {
    const connection = this.#connections.open(socket, transport)
    if (connection === undefined) return
    if (socket.alpnProtocol === 'h2') this.#http2.serve(connection)
    else this.#http1.serve(socket)
  }

  /** Of clients, open now. */
  get connectionCount(): number {
    return this.#connections.size
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
    if (this.#context.draining) return
    this.#context.draining = true
    this.#http2.leave()
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
      this.#http1.tcp.closeIdleConnections()
      timer = clock.after(IDLE_CLOSE_INTERVAL_MS, closeIdle)
    }
    closeIdle()
    const grace = clock.after(graceMs, () => this.#connections.cutAll())
    await empty
    grace.cancel()
    timer?.cancel()
    this.#context.refusals.flush()
  }

  /** Cuts everything. */
  async close(): Promise<void> {
    const empty = this.#stopAccepting()
    if (empty === undefined) return
    this.#connections.cutAll()
    await empty
    this.#context.refusals.flush()
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
        // HTTP/1 serves clients that have only ended their half; a session of HTTP/2 would never hear of that end.
        socket.allowHalfOpen = false
        this.#http2.serve(connection, acceptedMs)
      } else if (first === 'http1') {
        // Node's own timer begins anew with the first head; this one began when the connection was accepted.
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

  /** Resolves when the last client connection is gone; undefined: there is none. */
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
