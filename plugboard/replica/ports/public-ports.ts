// The public side of one replica: the public port, HTTPS with its certificates, and the guard that refuses requests while
// memory is short. plugboard.ts starts and stops it as one part.

import type { AddressInfo } from 'node:net'
import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Log } from '@vera-stack/shared/log.ts'
import type { TrafficBody } from '../../admin/api-types.ts'
import type { PolicyState } from '../../admin/live/policy/policy-state.ts'
import type { ServiceId } from '../../common/ids/row-ids.ts'
import type { DecisionCounts } from '../../common/service-decisions.ts'
import type { ServiceError } from '../../common/service-error.ts'
import type { PlugboardConfig } from '../../config.ts'
import type { CertificateStore } from '../../database/store/store.ts'
import type { RequestMetrics } from '../../metrics/request-metrics.ts'
import type { Inspector } from '../../observe/exchanges/inspector.ts'
import type { ReplayRequest, ReplayResult } from '../../observe/exchanges/replay-types.ts'
import type { ProxyUse } from '../../proxy/connections/trusted-proxies.ts'
import type { ConnectionRefusal } from '../../proxy/counters.ts'
import type { Via } from '../../proxy/edge/via.ts'
import type { ActiveRequests, LineRecovery } from '../../proxy/proxy-context.ts'
import type { RequestObserver } from '../../proxy/report/finished-request.ts'
import { ProxyServer } from '../../proxy/server.ts'
import type { TracedShare } from '../../proxy/trace/request-tracing.ts'
import type { Directory } from '../../routes/directory.ts'
import type { DryRequest, DryResult } from '../../routes/dry-run-types.ts'
import { OutboundNetworks } from '../../routes/options/outbound-networks.ts'
import type { LinePicker } from '../../telephones/picker/line-picker.ts'
import type { TunnelAcceptor } from '../../telephones/tunnel-endpoint.ts'
import { MemoryGuard } from '../limits/memory-guard.ts'
import type { RequestLimits } from '../limits/request-limits.ts'
import { Acme } from './acme.ts'
import { Https, httpsPolicy } from './https.ts'
import { openAddresses } from './listen-addresses.ts'

export interface PublicPortsOptions {
  readonly config: PlugboardConfig
  readonly directory: Directory
  readonly picker: LinePicker
  readonly limits: Pick<RequestLimits, 'limiter' | 'routeLimits'>
  readonly tunnels: TunnelAcceptor
  /** Undefined: requests are not measured. */
  readonly metrics: RequestMetrics | undefined
  /** Undefined: no request is traced. */
  readonly tracing: TracedShare | undefined
  /** Undefined without a cluster. */
  readonly recovery: LineRecovery | undefined
  readonly certificates: CertificateStore
  readonly via: Via
  /** The inspector, and the id of this replica. */
  readonly inspector: { readonly inspector: Inspector; readonly replicaId: string }
  /** Identifies this start of the replica. */
  readonly instance: string
  /** Observers of finished requests. */
  readonly observers: readonly RequestObserver[]
  readonly clock: Clock
  readonly log: Log
}

export class PublicPorts {
  readonly #config: PlugboardConfig
  readonly #log: Log
  readonly #memory: MemoryGuard
  readonly #acme: Acme | undefined
  readonly #proxy: ProxyServer
  readonly #via: Via
  readonly #unsubscribe: () => void
  #https: Https | undefined

  private constructor(options: PublicPortsOptions) {
    const { config, directory, picker, limits, tunnels, metrics, tracing, recovery } = options
    const { certificates, via, instance, clock, log } = options
    this.#config = config
    this.#via = via
    this.#log = log
    this.#memory = new MemoryGuard({ maxPercent: config.maxMemoryPercent, clock, log })
    this.#acme = Acme.create({ config, directory, store: certificates, instance, clock, log })
    this.#proxy = new ProxyServer({
      directory,
      picker,
      limiter: limits.limiter,
      routeLimits: limits.routeLimits,
      tunnels,
      metrics,
      tracing,
      recovery,
      trustedProxies: config.trustedProxies,
      outbound: new OutboundNetworks(config.outboundNetworks),
      proxyProtocol: config.proxyProtocol,
      http2Cleartext: config.http2Cleartext,
      limits: {
        maxConnections: config.maxConnections,
        maxConnectionsPerAddress: config.maxConnectionsPerAddress,
        clientSharePercent: config.clientSharePercent,
        http2MaxStreams: config.http2MaxStreams,
        maxHeaders: config.maxHeaders,
        maxHeadBytes: config.maxHeadBytes,
        maxTargetBytes: config.maxTargetBytes,
        bodyIdleTimeoutMs: config.bodyIdleTimeoutMs,
        minBodyRateBytes: config.minBodyRateBytes,
        headTimeoutMs: config.headTimeoutMs,
        keepAliveTimeoutMs: config.keepAliveTimeoutMs,
      },
      https: httpsPolicy(config),
      challenges: this.#acme?.challenges,
      via,
      underscoreHeaders: config.underscoreHeaders,
      allowTrace: config.allowTrace,
      log,
      access: config.accessLog ? fields => log.access(fields) : undefined,
      observers: options.observers,
      inspector: options.inspector,
      accessSample: config.accessLogSample,
      reportsUserAgent: config.accessLogUserAgent,
      clock,
      overloaded: () => this.#memory.short,
    })
    this.#unsubscribe = directory.subscribe({
      serviceChanged: (before, after) => {
        if (before !== undefined && after === undefined) this.#proxy.policyParts.decisions.forget(before.id)
      },
    })
  }

  /** Reads the certificates and opens no port. Rejects with StartupError when a certificate cannot be used. */
  static async create(options: PublicPortsOptions): Promise<PublicPorts> {
    const ports = new PublicPorts(options)
    const { config, clock, log } = options
    if (config.tlsListen === undefined) return ports
    try {
      ports.#https = await Https.create({ config, proxy: ports.#proxy, acme: ports.#acme, clock, log })
      return ports
    } catch (error) {
      await ports.stop()
      throw error
    }
  }

  /** Opens all public addresses; `flag` names them in errors. Rejects with StartupError. */
  async listen(flag: string): Promise<readonly AddressInfo[]> {
    const addresses = this.#config.listen
    try {
      return await openAddresses({ addresses, flag }, this.#log, ({ host, port }) =>
        this.#proxy.listen(port, host),
      )
    } catch (error) {
      await this.#proxy.close()
      throw error
    }
  }

  /** Opens the HTTPS port, if it is configured, and starts to order certificates. */
  async listenTls(): Promise<void> {
    if (this.#https === undefined || this.#config.tlsListen === undefined) return
    const { host, port } = this.#config.tlsListen
    const address = await this.#https.listen(port, host)
    this.#log.info('HTTPS is on', { port: address.port })
    this.#acme?.start()
  }

  /** Still serves all requests, but ends client connections, so that clients connect to another replica. */
  leave(): void {
    this.#proxy.leave()
  }

  /** Stops accepting connections. Resolves when the open requests have finished, or the grace period is over. */
  async drain(graceMs: () => number): Promise<void> {
    await Promise.all([this.#https?.drain(), this.#proxy.drain(graceMs())])
    // Connections whose handshake was in progress at the stop are served too.
    await this.#proxy.drain(graceMs())
  }

  /** Closes all connections. Works with and without an earlier `drain`. */
  async stop(): Promise<void> {
    this.#unsubscribe()
    await this.#https?.stop()
    this.#memory.stop()
  }

  /** Resolves with the result that the public port would produce for a request. */
  dryRun(request: DryRequest): Promise<DryResult> {
    return this.#proxy.dryRun(request)
  }

  /** Sends a captured request again. */
  replay(request: ReplayRequest): Promise<ReplayResult> {
    return this.#proxy.replay(request)
  }

  /** Returns the last failed request of a service. */
  lastErrorOf(serviceId: ServiceId): ServiceError | undefined {
    return this.#proxy.serviceErrors.lastOf(serviceId)
  }

  /** Returns the last failed request of each service with the id of the service, the newest first. */
  lastErrors(limit: number): readonly (readonly [serviceId: ServiceId, error: ServiceError])[] {
    return this.#proxy.serviceErrors.newest(limit)
  }

  /** The state of the traffic policy of services. */
  get policyState(): PolicyState {
    const { breakers, waiting, decisions } = this.#proxy.policyParts
    return {
      breakerOf: service => breakers.statusOf(service),
      openBreakers: () => breakers.notClosed(),
      waitingOf: service => waiting.waitingOf(service),
      decisionsOf: service => decisions.read(service),
    }
  }

  /** Yields the decisions of the traffic policy by service, since the start. */
  get decisions(): Iterable<readonly [service: ServiceId, counts: Readonly<DecisionCounts>]> {
    return this.#proxy.policyParts.decisions
  }

  /** Requests with a route that are in progress. */
  get activeRequests(): Readonly<ActiveRequests> {
    return this.#proxy.active
  }

  /** True while new requests are refused, because memory is short. */
  get memoryShort(): boolean {
    return this.#memory.short
  }

  /** The number of refused connections by reason. */
  get connectionRefusals(): Readonly<Record<ConnectionRefusal, number>> {
    return this.#proxy.counters.refusals
  }

  /** Yields each host with the end of the certificate that its clients get. */
  *certificateExpiries(): Generator<readonly [host: string, notAfter: Date]> {
    yield* this.#https?.certificateExpiries() ?? []
  }

  /** The parts of HTTPS; undefined without HTTPS. */
  get https(): Pick<Https, 'certificates' | 'origins' | 'covers'> | undefined {
    return this.#https
  }

  /** The public names of this Plugboard in Via. */
  get instanceNames(): readonly string[] {
    return this.#via.names
  }

  /** The use of each entry of `trustedProxies` since the start. */
  get proxyUses(): readonly ProxyUse[] {
    return this.#proxy.proxyUses
  }

  /** Returns the traffic counters since the start. */
  traffic(): TrafficBody {
    const { connectionCount, inFlightCount, waitingCount, openBreakerCount } = this.#proxy
    const { problems, refusals: _refusals, ...counters } = this.#proxy.counters
    return {
      ...counters,
      openConnections: connectionCount,
      inFlight: inFlightCount,
      waiting: waitingCount,
      openBreakers: openBreakerCount,
      problems: { ...problems },
      tls: this.#https === undefined ? null : { ...this.#https.counters },
    }
  }
}
