// The composition root: starts the parts of one replica in order, and stops them in the reverse order. Every other file
// receives its parts as arguments.
//
// Start, each step because the next one needs it:
//   1 database        the embedded one, if the settings name no other
//   2 admin port      responds to probes from here on ("loading"); the port of `metricsListen` and the export of
//                     metrics and traces beside it
//   3 directory       routes, services, keys: from the database, whose schema must fit this version, or from the
//                     snapshot file
//   4 peers           in a cluster: the lines of the other replicas, so that the first request finds them
//   5 public port     only now can a request find its route, and a telephone be authenticated; then HTTPS beside it
//
// Stop, so that every request that can finish does finish:
//   1 unready         load balancers choose another replica
//   2 leaving         all requests are served, but client connections end with their responses. For `stopDelay`; in a
//                     cluster: until the telephones have moved to other replicas, as this one asks them to
//   3 public port     no new connections; exchanges and upgraded connections finish within the grace period
//   4 tunnels         the exchanges above needed them, and streams of peers still do
//   5 peers           the exchanges above may have used their lines
//   6 directory, admin port, database; the embedded Postgres is the last one, because the others may still read from it

import type { AddressInfo } from 'node:net'
import { collectBodyMemory } from '@vera-stack/shared/process/body-memory.ts'
import { keepTickShape } from '@vera-stack/shared/process/tick-shape.ts'
import { prefixOf } from '../admin/access/api-key-format.ts'
import { DASHBOARD_PATH, DashboardSessions, loginPath } from '../admin/session/dashboard-sessions.ts'
import type { Phase } from '../common/phase.ts'
import { StartupError } from '../common/startup-error.ts'
import { ChangePruner } from '../database/changes/change-pruner.ts'
import type { Store } from '../database/store/store.ts'
import type { LinesSnapshot } from '../observe/requests/failed-request.ts'
import { LinesSnapshots } from '../observe/requests/lines-snapshots.ts'
import { Via } from '../proxy/edge/via.ts'
import type { RequestObserver } from '../proxy/report/finished-request.ts'
import { watchRequests } from '../proxy/report/request-watch.ts'
import type { TracedShare } from '../proxy/trace/request-tracing.ts'
import type { TokenIssuer } from '../telephones/tokens/tokens.ts'
import type { Cluster } from './cluster/cluster.ts'
import { viaNames } from './cluster/via-names.ts'
import { provideAdminKey } from './database/offline-admin-key.ts'
import { OverrideKeeper } from './database/override-keeper.ts'
import { openReplicaDatabase, type ReplicaDatabase, startDirectory } from './database/replica-database.ts'
import { RouteRecorder } from './database/route-recorder.ts'
import { AdminKeyFile } from './files/admin-key-file.ts'
import { createRequestLimits, type RequestLimits } from './limits/request-limits.ts'
import { startMetricsExport } from './metrics/metrics-export.ts'
import { startMetricsPort } from './metrics/metrics-port.ts'
import { createReplicaMetrics, type ReplicaMetrics } from './metrics/replica-metrics.ts'
import { startTraceExport } from './metrics/trace-export.ts'
import { startAdminPort } from './ports/admin-port.ts'
import { checkAddresses } from './ports/listen-addresses.ts'
import { PublicPorts } from './ports/public-ports.ts'
import { type PlugboardOptions, ReplicaContext } from './replica-context.ts'
import { createTelephoneSide, type TelephoneSide } from './telephone-side.ts'

/** The time for other replicas to receive the end of this replica's lines, ms. */
const NOTICE_MS = 1000

/** A replica that serves requests. */
export class Plugboard {
  readonly store: Store
  readonly tokens: TokenIssuer
  readonly adminPort: number
  readonly #replica: ReplicaContext
  readonly #sessions: DashboardSessions
  #stopped: Promise<void> | undefined

  private constructor(replica: ReplicaContext, { store, tokens, sessions, adminPort }: StartedParts) {
    this.#replica = replica
    this.#sessions = sessions
    this.store = store
    this.tokens = tokens
    this.adminPort = adminPort
  }

  /** Resolves when requests can be served. Rejects with a StartupError of one line when a person has to act. */
  static async start(options: PlugboardOptions): Promise<Plugboard> {
    collectBodyMemory()
    keepTickShape()
    const replica = new ReplicaContext(options)
    try {
      const parts = await startParts(replica)
      replica.lifecycle.started()
      return new Plugboard(replica, parts)
    } catch (error) {
      await replica.running.stop()
      throw error
    }
  }

  /** The open addresses of the public port, without HTTPS. */
  get publicAddresses(): readonly AddressInfo[] {
    return this.#replica.address.opened
  }

  /** The port of the first public address. */
  get publicPort(): number {
    const [first] = this.publicAddresses
    if (first === undefined) throw new Error('the public port is open once the start has resolved')
    return first.port
  }

  /** The URL of the public port for clients, without a slash at its end. */
  get publicUrl(): string {
    return this.#replica.address.url
  }

  /** Resolves with the path of the dashboard: with a one-time link while the data folder has an admin key. */
  async dashboardPath(): Promise<string> {
    const key = await new AdminKeyFile(this.#replica.config.data).read()
    return key === undefined ? DASHBOARD_PATH : loginPath(this.#sessions.createLink(prefixOf(key)))
  }

  /** The phase that `/readyz` reports. */
  get phase(): Phase {
    return this.#replica.lifecycle.phase
  }

  /** Resolves when a telephone has a line for the service. Rejects with StartupError after `deadlineMs`. */
  async untilConnected(service: string, deadlineMs: number): Promise<void> {
    const { registry, clock } = this.#replica
    const connected = Promise.withResolvers<void>()
    const unsubscribe = registry.subscribe({
      lineAdded: line => {
        if (line.service === service) connected.resolve()
      },
    })
    const timer = clock.after(deadlineMs, () =>
      connected.reject(new StartupError(`No telephone has connected for the service "${service}".`)),
    )
    if (!registry.linesOf(service).next().done) connected.resolve()
    await connected.promise.finally(() => {
      timer.cancel()
      unsubscribe()
    })
  }

  /** Drains, then stops all parts. A second call waits for the same stop. */
  stop(): Promise<void> {
    this.#replica.lifecycle.drain()
    this.#stopped ??= this.#replica.running.stop()
    return this.#stopped
  }
}

interface StartedParts {
  readonly store: Store
  readonly tokens: TokenIssuer
  readonly sessions: DashboardSessions
  readonly adminPort: number
}

async function startParts(replica: ReplicaContext): Promise<StartedParts> {
  reportLimits(replica)
  // The addresses are checked before a database is created or started.
  await checkAddresses(replica.listenTargets())
  let ports: PublicPorts | undefined
  const database = await openReplicaDatabase(replica)
  const limits = createRequestLimits(replica, database)
  const telephones = createTelephoneSide(replica, {
    database,
    limits,
    ports: () => ports,
    load: () => metrics.load(),
  })
  const metrics: ReplicaMetrics = createReplicaMetrics(replica, {
    database,
    telephones,
    limits,
    ports: () => ports,
  })
  const sessions = new DashboardSessions({ secrets: replica.config.clusterSecret, clock: replica.clock })
  const admin = await startAdminPort(replica, {
    database,
    telephones,
    sessions,
    limits,
    metrics,
    ports: () => ports,
  })
  await startMetricsPort(replica, metrics)
  startMetricsExport(replica, metrics)
  const tracing = await startTraceExport(replica, metrics)
  await startDirectory(replica, database)
  await startBackgroundWork(replica, database)
  await limits.quotas.start()
  replica.running.add('use of limits', () => limits.quotas.stop())
  await startTelephoneSide(replica, telephones)
  ports = await openPublicPorts(replica, { database, telephones, limits, metrics, tracing })
  return { store: database.store, tokens: telephones.tokens, sessions, adminPort: admin.port }
}

function reportLimits({ limits: { lowered }, log }: ReplicaContext): void {
  if (lowered === undefined) return
  const level = lowered.isProblem ? 'warn' : 'info'
  log[level]('limits lowered to fit the limit of open files', { detail: lowered.detail })
}

async function startBackgroundWork(
  replica: ReplicaContext,
  { store, directory }: ReplicaDatabase,
): Promise<void> {
  const { config, registry, clock, log, id, incarnation, running } = replica
  const pruner = new ChangePruner({ changes: store.changes, keep: config.changesKept, clock, log })
  running.add('change log', () => pruner.stop())
  const recorder = new RouteRecorder({ directory, registry, store, clock, log, replicaId: id, incarnation })
  running.add('use of routes', () => recorder.stop())
  const keeper = new OverrideKeeper({ directory, registry, store, clock, log, incarnation })
  running.add('overrides of processes', () => keeper.stop())
  await provideAdminKey({ adminKeys: store.adminKeys, data: config.data, clock, log })
}

/** In a cluster: resolves when this replica has the lines of the other replicas, or after a few seconds. */
async function startTelephoneSide(
  replica: ReplicaContext,
  { cluster, switchboard, picker }: TelephoneSide,
): Promise<void> {
  const { running, lifecycle } = replica
  if (cluster !== undefined) {
    await replica.listening(cluster.listen(), 'peerListen')
    running.add('peers', () => cluster.stop(lifecycle.graceMs()))
    await cluster.start()
  }
  running.add('tunnels', async () => {
    await switchboard.drain(lifecycle.graceMs(), cluster?.linked ? NOTICE_MS : 0)
    picker.close()
  })
}

interface PublicParts {
  readonly database: ReplicaDatabase
  readonly telephones: TelephoneSide
  readonly limits: RequestLimits
  readonly metrics: ReplicaMetrics
  readonly tracing: TracedShare | undefined
}

async function openPublicPorts(
  replica: ReplicaContext,
  { database, telephones, limits, metrics, tracing }: PublicParts,
): Promise<PublicPorts> {
  const { store, directory } = database
  const { picker, cluster, endpoint, whole } = telephones
  const { config, incarnation, clock, log, running, lifecycle, address } = replica
  const { inspector } = replica.observation
  const secret = config.clusterSecret?.[0]
  if (secret !== undefined) await inspector.joinCluster(secret)
  running.add('inspector', () => inspector.stop())
  const ports = await PublicPorts.create({
    config,
    directory,
    picker,
    limits,
    tunnels: endpoint,
    metrics: replica.measuresRequests ? metrics.requests : undefined,
    tracing,
    recovery: cluster?.network.recovery,
    certificates: store.certificates,
    via: new Via(await viaNames(config.clusterSecret)),
    instance: incarnation,
    inspector: { inspector, replicaId: replica.id },
    observers: replica.measuresRequests ? [watchOf(replica, whole)] : [],
    clock,
    log,
  })
  running.add('HTTPS', () => ports.stop())
  address.open(await ports.listen(replica.flagOf('listen')))
  running.add('public port', () => ports.drain(() => lifecycle.graceMs()))
  await replica.listening(ports.listenTls(), 'tlsListen')
  cluster?.open()
  running.add('leaving', () => leave(replica, ports, cluster))
  return ports
}

/** Returns the observer that keeps failed requests and serves the live log. */
function watchOf(
  { id, observation, clock }: ReplicaContext,
  { lines }: TelephoneSide['whole'],
): RequestObserver {
  const snapshots = new LinesSnapshots(name => lines.statesOf({ name }), clock)
  const linesOf = (service: string): LinesSnapshot => snapshots.of(service)
  return watchRequests({ replicaId: id, observation, linesOf, wallTime: () => clock.wallTime() })
}

/** Asks clients and telephones to leave. All requests are still served. */
async function leave(
  { clock, config }: ReplicaContext,
  ports: PublicPorts,
  cluster: Cluster | undefined,
): Promise<void> {
  ports.leave()
  const noticed = Promise.withResolvers<void>()
  clock.after(config.stopDelayMs, () => noticed.resolve())
  await Promise.all([noticed.promise, cluster?.leave()])
}
