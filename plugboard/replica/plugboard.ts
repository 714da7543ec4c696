// One Plugboard process: builds its parts, wires them, starts and stops them in order. Everything else receives
// what it needs from here.
//
// Start, each step because the next one needs it:
//   1 database        the embedded one, if it is that
//   2 admin port      probes are answered from here on ("loading")
//   3 directory       routes, services, keys: from the database, whose schema must fit the code, or from the
//                     snapshot file
//   4 peers           in a cluster: the other replicas' lines, so that the first request finds them
//   5 public port     only now can a request find its route, and a telephone be recognised; then HTTPS beside it
//
// Stop, so that nothing is cut that could have finished:
//   1 unready         load balancers look elsewhere
//   2 leaving         all is served, but client connections end with their answers. For `stopDelay`; in a cluster: until
//                     telephones have gone elsewhere, as they are asked to
//   3 public port     no new connections; exchanges and upgraded connections finish within the grace period
//   4 tunnels         only now: the exchanges above needed them, and what peers forward still does
//   5 peers           only now: the exchanges above may have used their lines
//   6 directory, admin port, database, and the embedded Postgres last, because all of them may still ask it

import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { collectBodyMemory } from '@vera-stack/shared/body-memory.ts'
import { type Clock, systemClock } from '@vera-stack/shared/clock.ts'
import type { Log } from '@vera-stack/shared/log.ts'
import { openFilesLimit } from '@vera-stack/shared/open-files.ts'
import { processMemoryBytes } from '@vera-stack/shared/process-memory.ts'
import { allowedHosts } from '../admin/access/request-guard.ts'
import { createAdminApp } from '../admin/admin-app.ts'
import type { Phase } from '../admin/admin-env.ts'
import { startAdminServer } from '../admin/admin-server.ts'
import type { ReplicaStatus } from '../admin/live/telephone-directory.ts'
import { makeFolder } from '../common/make-folder.ts'
import { folderError, StartupError } from '../common/startup-error.ts'
import type { LoadedPlugboardConfig, PlugboardConfig } from '../config.ts'
import { ChangePruner } from '../database/change-pruner.ts'
import { type Database, openDatabase } from '../database/database.ts'
import { databasePlace } from '../database/database-url.ts'
import { EmbeddedPostgres } from '../database/embedded/embedded-postgres.ts'
import { SchemaKeeper } from '../database/schema-keeper.ts'
import type { Store } from '../database/store/store.ts'
import { Via } from '../proxy/edge/via.ts'
import { newBoot } from '../registry/boot.ts'
import { Registry } from '../registry/registry.ts'
import { TunnelCounts } from '../registry/tunnel-counts.ts'
import { createDirectory, type Directory } from '../routes/directory.ts'
import { OutboundNetworks } from '../routes/outbound-networks.ts'
import { generatedHostPattern } from '../telephones/generated-hosts.ts'
import { HeldBudgets, heldLimits } from '../telephones/held-budgets.ts'
import { LinePicker } from '../telephones/lines/line-picker.ts'
import { LocalLines } from '../telephones/lines/local-lines.ts'
import { ServiceHistory } from '../telephones/lines/service-history.ts'
import { ServiceNames } from '../telephones/lines/service-names.ts'
import { Switchboard } from '../telephones/switchboard.ts'
import { Authenticator } from '../telephones/tokens/authenticate.ts'
import { generateSigningKey, TokenIssuer } from '../telephones/tokens/tokens.ts'
import { TunnelEndpoint } from '../telephones/tunnel-endpoint.ts'
import { VERSION } from '../version.ts'
import { provideAdminKey } from './admin-keys.ts'
import { Cluster } from './cluster.ts'
import { AdminKeyFile } from './files/admin-key-file.ts'
import { closePrivateFiles } from './files/private-files.ts'
import { type FittedLimits, fitLimits, PENDING_TUNNEL_SHARE } from './fitted-limits.ts'
import { checkAddresses, type ListenTarget } from './ports/listen-addresses.ts'
import { listenError } from './ports/listen-error.ts'
import { PublicPorts } from './ports/public-ports.ts'
import { ownStatus, replicaStatus, serviceLines, withoutLines } from './replica-status.ts'
import { RouteRecorder } from './route-recorder.ts'
import { viaNames } from './via-names.ts'
import { createWholeCluster, type WholeCluster } from './whole-cluster.ts'

/** Named before the port is open. */
const DEFAULT_PUBLIC_PORT = 4000
/** Most followers of changes at once. */
const MAX_EVENT_STREAMS = 100
/** Time for admin requests under way at the stop, ms. */
const ADMIN_GRACE_MS = 2000
/** For other replicas to hear that our lines are gone, ms. */
const NOTICE_MS = 1000
/** For the goodbyes of tunnels and links when the grace period is over, ms. */
const GOODBYE_MS = 500

export interface PlugboardOptions {
  readonly config: PlugboardConfig
  /** Where each value of `config` is from. Default: each one counts as a default. */
  readonly sources?: LoadedPlugboardConfig['sources']
  readonly log: Log
  readonly clock?: Clock
  /** Ends a start that is under way: what has been started is stopped, and the start rejects with its reason. */
  readonly signal?: AbortSignal
  /** How the flags are called in what is said about a port that is taken. */
  readonly portFlags?: { readonly listen: string; readonly adminListen: string }
}

export class Plugboard {
  readonly #config: PlugboardConfig
  readonly #limits: FittedLimits
  readonly #log: Log
  readonly #clock: Clock
  readonly #startSignal: AbortSignal | undefined
  readonly #portFlags: { readonly listen: string; readonly adminListen: string }
  readonly #startedAt: Date
  readonly #registry = new Registry()
  readonly #tunnelCounts = new TunnelCounts()
  /** Our name: the same after a restart, and of nobody else in the cluster. */
  readonly #id: string
  /** New at each start. */
  readonly #instance: string
  /** What has been started, in order; stopped from the last to the first. */
  readonly #running: { readonly name: string; stop(): unknown }[] = []
  #phase: Phase = 'loading'
  #cluster: Cluster | undefined
  #stopped: Promise<void> | undefined
  #drainUntilMs: number | undefined
  #store: Store | undefined
  #tokens: TokenIssuer | undefined
  #ports: PublicPorts | undefined
  #publicAddresses: readonly AddressInfo[] = []
  #whole: WholeCluster | undefined
  #adminAddress: AddressInfo | undefined

  private constructor(options: PlugboardOptions) {
    const { config, sources } = options
    const isSet = (setting: keyof PlugboardConfig): boolean =>
      sources !== undefined && sources[setting].kind !== 'default' && sources[setting].kind !== 'none'
    this.#limits = fitLimits({ config, isSet, openFiles: openFilesLimit() })
    this.#config = this.#limits.config
    this.#log = options.log
    this.#clock = options.clock ?? systemClock
    this.#startSignal = options.signal
    this.#portFlags = options.portFlags ?? { listen: '--listen', adminListen: '--admin-listen' }
    this.#startedAt = new Date(this.#clock.wallTime())
    this.#id = options.config.name
    this.#instance = newBoot(this.#startedAt.getTime(), Math.random)
  }

  /** Resolves when requests can be served. Throws StartupError, one line, for what a person has to mend. */
  static async start(options: PlugboardOptions): Promise<Plugboard> {
    collectBodyMemory()
    const plugboard = new Plugboard(options)
    try {
      await plugboard.#start()
      plugboard.#phase = 'ready'
      return plugboard
    } catch (error) {
      await plugboard.#stopParts()
      throw error
    }
  }

  get store(): Store {
    return this.#store as Store
  }

  get tokens(): TokenIssuer {
    return this.#tokens as TokenIssuer
  }

  get publicPort(): number {
    return (this.#publicAddresses[0] as AddressInfo).port
  }

  /** Where the public port is open, without HTTPS. */
  get publicAddresses(): readonly AddressInfo[] {
    return this.#publicAddresses
  }

  get adminPort(): number {
    return (this.#adminAddress as AddressInfo).port
  }

  /** As `/readyz` reports it. */
  get phase(): Phase {
    const recovering = this.#phase === 'ready' && this.#cluster?.network.recovery.underWay === true
    return recovering ? 'recovering' : this.#phase
  }

  /** How the public port looks from outside, without a slash at its end. */
  get publicUrl(): string {
    const port = this.#publicAddresses[0]?.port ?? DEFAULT_PUBLIC_PORT
    return (this.#config.publicUrl ?? `http://localhost:${port}`).replace(/\/$/, '')
  }

  /** Resolves when a telephone holds a line for the service. Throws StartupError when that takes too long. */
  async untilConnected(service: string, deadlineMs: number): Promise<void> {
    const connected = Promise.withResolvers<void>()
    const unsubscribe = this.#registry.subscribe({
      lineAdded: line => {
        if (line.service === service) connected.resolve()
      },
    })
    const timer = this.#clock.after(deadlineMs, () =>
      connected.reject(new StartupError(`No telephone has connected for the service "${service}".`)),
    )
    if (!this.#registry.linesOf(service).next().done) connected.resolve()
    await connected.promise.finally(() => {
      timer.cancel()
      unsubscribe()
    })
  }

  /** Drains, then stops everything. Calling it again waits for the same end. */
  stop(): Promise<void> {
    this.#phase = 'draining'
    this.#stopped ??= this.#stopParts()
    return this.#stopped
  }

  async #start(): Promise<void> {
    const config = this.#config
    const clock = this.#clock
    const log = this.#log
    const registry = this.#registry
    const { lowered } = this.#limits
    if (lowered !== undefined) {
      const level = lowered.isProblem ? 'warn' : 'info'
      log[level]('limits lowered to fit the limit of open files', { detail: lowered.detail })
    }
    // Before a database is made or started.
    await checkAddresses(this.#listenTargets())
    await this.#makeDataFolder()
    await closePrivateFiles(config.data, log)
    const postgres = await this.#startPostgres()
    const url = config.databaseUrl ?? (postgres as EmbeddedPostgres).url
    const database = this.#open(url)
    const keeper = new SchemaKeeper({ url, migrate: config.migrate, version: VERSION, log })
    const directory = this.#createDirectory({ url, database, keeper })
    const tokens = new TokenIssuer({ store: database.store, clock })
    const budgets = this.#createBudgets()
    const history = new ServiceHistory(registry, clock)
    const switchboard = this.#createSwitchboard({ registry, history, directory, database, tokens, budgets })
    const cluster = this.#createCluster({ database, directory, switchboard, budgets })
    this.#cluster = cluster
    const names = new ServiceNames(directory)
    const picker = new LinePicker({
      ...{ registry, names },
      replicaId: this.#id,
      upstreamOf: line =>
        line.replicaId === this.#id ? switchboard.upstreamOf(line) : cluster?.network.upstreamOf(line),
      clientSharePercent: config.clientSharePercent,
    })
    this.#whole = createWholeCluster({
      ...{ replicaId: this.#id, startedAt: this.#startedAt, registry, directory, picker, history },
      ...{ switchboard, cluster },
      lastErrorOf: id => this.#ports?.lastErrorOf(id),
    })
    this.#store = database.store
    this.#tokens = tokens
    await this.#startAdmin({ database, directory, tokens, switchboard, cluster, whole: this.#whole })
    await this.#startDirectory(keeper, directory)
    this.#startSignal?.throwIfAborted()
    const { adminKeys } = database.store
    const pruner = new ChangePruner({ changes: database.store.changes, keep: config.changesKept, clock, log })
    this.#running.push({ name: 'change log', stop: () => pruner.stop() })
    const recorder = new RouteRecorder({
      ...{ directory, registry, store: database.store, clock, log },
      ...{ replicaId: this.#id, incarnation: this.#instance },
    })
    this.#running.push({ name: 'use of routes', stop: () => recorder.stop() })
    await provideAdminKey({ adminKeys, data: config.data, clock, log })
    if (cluster !== undefined) {
      await this.#listen(cluster.listen(), 'peerListen')
      this.#running.push({ name: 'peers', stop: () => cluster.stop(this.#graceMs()) })
      await cluster.start()
    }
    this.#running.push({
      name: 'tunnels',
      stop: async () => {
        await switchboard.drain(this.#graceMs(), cluster?.linked ? NOTICE_MS : 0)
        picker.close()
      },
    })
    const outside =
      config.tokenIssuer === undefined || config.tokenJwksUrl === undefined
        ? undefined
        : { issuer: config.tokenIssuer, jwksUrl: config.tokenJwksUrl }
    const authenticator = new Authenticator({ directory, outside, clock })
    const ports = await PublicPorts.create({
      ...{ config, directory, picker, instance: this.#instance, clock, log },
      recovery: cluster?.network.recovery,
      tunnels: new TunnelEndpoint({
        ...{ authenticator, switchboard, log },
        maxPending: Math.ceil(config.maxTunnels * PENDING_TUNNEL_SHARE),
        clientSharePercent: config.clientSharePercent,
      }),
      certificates: database.store.certificates,
      via: new Via(await viaNames(config.clusterSecret)),
    })
    this.#running.push({ name: 'HTTPS', stop: () => ports.stop() })
    this.#publicAddresses = await ports.listen(this.#portFlags.listen)
    this.#running.push({ name: 'public port', stop: () => ports.drain(() => this.#graceMs()) })
    await this.#listen(ports.listenTls(), 'tlsListen')
    this.#ports = ports
    cluster?.open()
    this.#running.push({ name: 'leaving', stop: () => this.#leave(ports, cluster) })
  }

  /** Everything is served meanwhile. */
  async #leave(ports: PublicPorts, cluster: Cluster | undefined): Promise<void> {
    ports.leave()
    const noticed = Promise.withResolvers<void>()
    this.#clock.after(this.#config.stopDelayMs, () => noticed.resolve())
    await Promise.all([noticed.promise, cluster?.leave()])
  }

  /** The embedded database makes it for itself, with what else it needs; without one, the snapshot needs it. */
  async #makeDataFolder(): Promise<void> {
    const { data, databaseUrl } = this.#config
    if (databaseUrl === undefined) return
    await makeFolder(data, 0o700).catch((error: unknown) => {
      throw folderError(data, error)
    })
  }

  async #startPostgres(): Promise<EmbeddedPostgres | undefined> {
    if (this.#config.databaseUrl !== undefined) return undefined
    const folder = join(this.#config.data, 'postgres')
    const postgres = await EmbeddedPostgres.start({ folder, log: this.#log })
    this.#running.push({ name: 'embedded database', stop: () => postgres.stop() })
    return postgres
  }

  #open(url: string): Database {
    const { databaseConnections: maxConnections, name } = this.#config
    const database = openDatabase({ url, maxConnections, applicationName: `plugboard ${name}` })
    this.#running.push({ name: 'database', stop: () => database.close() })
    return database
  }

  /** The directory reads from the database only after the schema was found to fit the code. */
  #createDirectory(parts: {
    readonly url: string
    readonly database: Database
    readonly keeper: SchemaKeeper
  }): Directory {
    const { url, database, keeper } = parts
    return createDirectory({
      database: {
        openChangeFeed: async () => {
          await keeper.check()
          return await database.openChangeFeed()
        },
      },
      databasePlace: this.#config.databaseUrl === undefined ? 'embedded in Plugboard' : databasePlace(url),
      snapshotFile: join(this.#config.data, 'snapshot.json'),
      log: this.#log,
      clock: this.#clock,
    })
  }

  #createBudgets(): HeldBudgets {
    const { maxHeldBytes, tokenMaxHeldBytes, tunnelMaxHeldBytes } = this.#config
    const limits = heldLimits(processMemoryBytes(this.#config.maxMemoryPercent), {
      replicaBytes: maxHeldBytes,
      tokenBytes: tokenMaxHeldBytes,
      tunnelBytes: tunnelMaxHeldBytes,
    })
    return new HeldBudgets({ limits, clock: this.#clock, log: this.#log })
  }

  #createSwitchboard(parts: {
    readonly registry: Registry
    readonly history: ServiceHistory
    readonly directory: Directory
    readonly database: Database
    readonly tokens: TokenIssuer
    readonly budgets: HeldBudgets
  }): Switchboard {
    const config = this.#config
    return new Switchboard({
      replicaId: this.#id,
      identity: {
        agent: `plugboard/${VERSION}`,
        instance: this.#instance,
        name: config.name,
        startedAt: this.#startedAt.getTime(),
      },
      directory: parts.directory,
      store: parts.database.store,
      tokens: parts.tokens,
      registry: parts.registry,
      history: parts.history,
      urlOf: ({ host, mountPath }) => this.#urlOf(host, mountPath),
      limits: {
        maxWindowBytes: config.tunnelMaxWindowBytes,
        clientSharePercent: config.clientSharePercent,
        pingIntervalMs: config.tunnelPingIntervalMs,
        pingTimeoutMs: config.tunnelPingTimeoutMs,
      },
      maxTunnels: config.maxTunnels,
      tokenLimits: {
        tunnels: config.tokenMaxTunnels,
        claims: config.tokenMaxClaims,
        announcementsPerMinute: config.tokenMaxAnnouncements,
      },
      claims: {
        ephemeralGraceMs: config.ephemeralGraceMs,
        generatedHosts: generatedHostPattern(config.generatedHosts, config.publicUrl),
      },
      tunnelCounts: this.#tunnelCounts,
      budgets: parts.budgets,
      clock: this.#clock,
      log: this.#log,
    })
  }

  #createCluster(parts: {
    readonly database: Database
    readonly directory: Directory
    readonly switchboard: Switchboard
    readonly budgets: HeldBudgets
  }): Cluster | undefined {
    const secrets = this.#config.clusterSecret
    if (secrets === undefined) return undefined
    const { database, directory, switchboard, budgets } = parts
    const registry = this.#registry
    // Peers have chosen this replica: what they forward goes to no other one.
    const names = new ServiceNames(directory)
    const own = new LinePicker({
      ...{ registry, names },
      upstreamOf: line => (line.replicaId === this.#id ? switchboard.upstreamOf(line) : undefined),
    })
    const lines = new LocalLines({
      picker: own,
      serviceOf: announced => names.serviceOf(announced),
      tunnelOf: (tunnelId, service) => switchboard.tunnelOf(tunnelId, service),
    })
    this.#running.push({ name: 'lines for peers', stop: () => lines.close() })
    return new Cluster(
      {
        config: this.#config,
        maxPeerConnections: this.#limits.maxPeerConnections,
        self: { id: this.#id, boot: this.#instance },
        startedAt: this.#startedAt,
        registry,
        tunnelCounts: this.#tunnelCounts,
        rows: database.store.replicas,
        switchboard,
        openLocal: (opening, events, end) => lines.open(opening, events, end),
        respondToQuery: (name, params) => this.#whole?.view.respond(name, params),
        heldOf: line => budgets.ofRemote(line),
        appliedSequence: () => directory.appliedSequence,
        clock: this.#clock,
        log: this.#log,
      },
      secrets,
    )
  }

  async #startAdmin(parts: {
    readonly database: Database
    readonly directory: Directory
    readonly tokens: TokenIssuer
    readonly switchboard: Switchboard
    readonly cluster: Cluster | undefined
    readonly whole: WholeCluster
  }): Promise<void> {
    const { database, directory, tokens, switchboard, cluster, whole } = parts
    const config = this.#config
    const app = createAdminApp({
      store: database.store,
      directory,
      tokens,
      telephones: {
        list: () => switchboard.list(),
        tunnelsOfToken: id => switchboard.tunnelsOfToken(id),
        tokenRefusals: () => switchboard.tokenRefusals,
      },
      replicas: {
        list: () => this.#replicas(directory, switchboard, cluster),
        lines: () =>
          serviceLines(this.#registry, announced => directory.serviceByName(announced)?.name ?? announced),
        withoutLines: () => withoutLines(cluster?.network.replicas() ?? []),
        rebalance: () => ({
          enabled: cluster !== undefined && config.rebalance,
          asked: cluster?.moved ?? 0,
        }),
      },
      cluster: whole.view,
      lines: whole.lines,
      dryRun: request => this.#ports?.dryRun(request) ?? Promise.resolve(undefined),
      traffic: () => this.#ports?.traffic(),
      lastErrors: limit => this.#ports?.lastErrors(limit) ?? [],
      outbound: new OutboundNetworks(config.outboundNetworks),
      plugboardUrl: () => this.publicUrl,
      files: { data: resolve(config.data), adminKey: resolve(new AdminKeyFile(config.data).path) },
      generateSigningKey,
      log: this.#log,
      clock: this.#clock,
      version: VERSION,
      phase: () => this.phase,
      allowedHosts: allowedHosts(config.adminListen.host, config.adminHosts),
      // Event streams hold their connections, so some connections are kept for probes and operators.
      maxEventStreams: Math.min(MAX_EVENT_STREAMS, Math.floor(this.#limits.maxAdminConnections / 2)),
    })
    const { maxAdminConnections: maxConnections } = this.#limits
    const starting = startAdminServer({ app, listen: config.adminListen, maxConnections, log: this.#log })
    const server = await this.#listen(starting, 'adminListen')
    this.#adminAddress = server.address
    this.#running.push({ name: 'admin port', stop: () => server.stop(ADMIN_GRACE_MS) })
  }

  async #startDirectory(keeper: SchemaKeeper, directory: Directory): Promise<void> {
    this.#running.push({ name: 'schema', stop: () => keeper.stop() })
    await keeper.start()
    this.#running.push({ name: 'directory', stop: () => directory.stop() })
    this.#startSignal?.throwIfAborted()
    const source = await directory.start(this.#startSignal)
    this.#log.info('routes loaded', { detail: source, count: directory.routeCount })
  }

  #listen<Result>(
    listening: Promise<Result>,
    setting: 'adminListen' | 'peerListen' | 'tlsListen',
  ): Promise<Result> {
    return listening.catch((error: unknown) => {
      const address = this.#config[setting]
      throw address === undefined ? error : listenError(error, address, this.#flagOf(setting))
    })
  }

  #flagOf(setting: 'listen' | 'adminListen' | 'peerListen' | 'tlsListen'): string {
    return { ...this.#portFlags, peerListen: '--peer-listen', tlsListen: '--tls-listen' }[setting]
  }

  /** All addresses of this replica; `peerListen` in a cluster alone. */
  #listenTargets(): ListenTarget[] {
    const { listen, adminListen, tlsListen, peerListen, clusterSecret } = this.#config
    return [
      { addresses: listen, flag: this.#flagOf('listen') },
      { addresses: [adminListen], flag: this.#flagOf('adminListen') },
      { addresses: tlsListen === undefined ? [] : [tlsListen], flag: this.#flagOf('tlsListen') },
      { addresses: clusterSecret === undefined ? [] : [peerListen], flag: this.#flagOf('peerListen') },
    ]
  }

  #replicas(directory: Directory, switchboard: Switchboard, cluster: Cluster | undefined): ReplicaStatus[] {
    const { appliedSequence, databaseReachable } = directory
    const self = ownStatus({
      id: this.#id,
      address: cluster?.address ?? '',
      publicUrl: this.#config.telephoneUrl ?? this.#config.publicUrl,
      leaving: this.#phase === 'draining',
      startedAt: this.#startedAt,
      ...{ appliedSequence, switchboard, registry: this.#registry },
    })
    const others = cluster?.network.replicas() ?? []
    return [self, ...others.map(known => replicaStatus(known, appliedSequence, databaseReachable))]
  }

  /** The address of a mount as clients see it. */
  #urlOf(host: string, mountPath: string): string {
    const outside = new URL(this.publicUrl)
    // Any host: the one that we are called by.
    if (host !== '*') outside.hostname = host
    return `${outside.protocol}//${outside.host}${mountPath === '/' ? '/' : mountPath}`
  }

  /** What is left of `drainTimeout`. It begins with the first part that drains: one period for all of them. */
  #graceMs(): number {
    const nowMs = this.#clock.now()
    this.#drainUntilMs ??= nowMs + this.#config.drainTimeoutMs
    return Math.max(GOODBYE_MS, this.#drainUntilMs - nowMs)
  }

  async #stopParts(): Promise<void> {
    for (const part of this.#running.splice(0).reverse()) {
      try {
        await part.stop()
      } catch (error) {
        this.#log.error('a component failed to stop', { part: part.name, err: error })
      }
    }
  }
}
