// The side of the telephones: their tunnels, the lines that the tunnels offer, the choice of a line, and in a cluster the
// other replicas with their lines.

import type { ProcessLoad } from '@vera-stack/shared/metrics/process-metrics.ts'
import { tracesReceiver } from '@vera-stack/shared/otlp/otlp-settings.ts'
import { processMemoryBytes } from '@vera-stack/shared/process/process-memory.ts'
import { TRACES_FEATURE } from '@vera-stack/shared/protocol/trace-mark.ts'
import type { ReplicaDirectory } from '../admin/admin-env.ts'
import { labelsOf } from '../common/labels.ts'
import type { RespondToQuery } from '../peers/queries/peer-queries.ts'
import { generatedHostPattern } from '../telephones/generated-hosts.ts'
import { HeldBudgets, heldLimits } from '../telephones/held-budgets.ts'
import { DirectoryOverrides } from '../telephones/lines/directory-overrides.ts'
import { LocalLines } from '../telephones/lines/local-lines.ts'
import { ServiceHistory } from '../telephones/lines/service-history.ts'
import { ServiceNames } from '../telephones/lines/service-names.ts'
import { HealthProber } from '../telephones/outliers/health-prober.ts'
import { LinePicker } from '../telephones/picker/line-picker.ts'
import { Switchboard } from '../telephones/switchboard.ts'
import { Authenticator } from '../telephones/tokens/authenticate.ts'
import { TokenIssuer } from '../telephones/tokens/tokens.ts'
import { TunnelEndpoint } from '../telephones/tunnel-endpoint.ts'
import { VERSION } from '../version.ts'
import { Cluster } from './cluster/cluster.ts'
import { replicaDirectory } from './cluster/replica-directory.ts'
import { replicaStateReader } from './cluster/replica-state.ts'
import { createWholeCluster, type WholeCluster } from './cluster/whole-cluster.ts'
import type { ReplicaDatabase } from './database/replica-database.ts'
import { PENDING_TUNNEL_SHARE } from './limits/fitted-limits.ts'
import type { RequestLimits } from './limits/request-limits.ts'
import type { PublicPorts } from './ports/public-ports.ts'
import type { ReplicaContext } from './replica-context.ts'

export interface TelephoneSide {
  readonly tokens: TokenIssuer
  readonly switchboard: Switchboard
  readonly picker: LinePicker
  /** Undefined without a cluster secret. */
  readonly cluster: Cluster | undefined
  readonly whole: WholeCluster
  readonly replicas: ReplicaDirectory
  readonly endpoint: TunnelEndpoint
}

export interface TelephoneSideParts {
  readonly database: ReplicaDatabase
  readonly limits: RequestLimits
  /** Returns the public ports, or undefined while they are not open. */
  readonly ports: () => PublicPorts | undefined
  readonly load: () => ProcessLoad
}

export function createTelephoneSide(
  replica: ReplicaContext,
  { database, limits, ports, load }: TelephoneSideParts,
): TelephoneSide {
  const { config, registry, clock, log, id, startedAt } = replica
  const { directory, store } = database
  const tokens = new TokenIssuer({ store, clock })
  const history = new ServiceHistory(registry, clock)
  const budgets = createBudgets(replica)
  const switchboard = createSwitchboard(replica, database, { tokens, history, budgets })
  const cluster = createCluster(replica, database, {
    switchboard,
    budgets,
    sharedBudgets: limits.budgets,
    respondToQuery: (name, params) => prober.respond(name, params) ?? whole.respond(name, params),
  })
  const prober = new HealthProber({
    replicaId: id,
    probeLocal: (tunnelId, service) => switchboard.tunnels.get(tunnelId)?.probes.probe(service),
    query: (replicaId, name, params) => cluster?.network.queryOne(replicaId, name, params),
  })
  const picker = new LinePicker({
    registry,
    names: new ServiceNames(directory),
    replicaId: id,
    clock,
    upstreamOf: line =>
      line.replicaId === id ? switchboard.tunnels.upstreamOf(line) : cluster?.network.upstreamOf(line),
    clientSharePercent: config.clientSharePercent,
    labels: labelsOf(config.labels),
    overrides: new DirectoryOverrides(directory),
    log,
    probe: line => prober.probe(line),
  })
  const replicas = replicaDirectory(replica, directory, { switchboard, cluster })
  const whole = createWholeCluster({
    ownState: replicaStateReader({ replica, database, replicas, ports, load }),
    orders: limit => store.certificates.orders(limit),
    replicaId: id,
    startedAt,
    clock,
    registry,
    directory,
    picker,
    history,
    switchboard,
    cluster,
    limits,
    lastErrorOf: serviceId => ports()?.lastErrorOf(serviceId),
    policyState: () => ports()?.policyState,
    observation: replica.observation,
  })
  const endpoint = new TunnelEndpoint({
    authenticator: new Authenticator({ directory, outside: outsideIssuer(replica), clock, log }),
    switchboard,
    log,
    maxPending: Math.ceil(config.maxTunnels * PENDING_TUNNEL_SHARE),
    clientSharePercent: config.clientSharePercent,
  })
  return { tokens, switchboard, picker, cluster, whole, replicas, endpoint }
}

function outsideIssuer({ config: { tokenIssuer, tokenJwksUrl } }: ReplicaContext) {
  if (tokenIssuer === undefined || tokenJwksUrl === undefined) return undefined
  return { issuer: tokenIssuer, jwksUrl: tokenJwksUrl }
}

function createBudgets({ config, clock, log }: ReplicaContext): HeldBudgets {
  const limits = heldLimits(processMemoryBytes(config.maxMemoryPercent), {
    replicaBytes: config.maxHeldBytes,
    tokenBytes: config.tokenMaxHeldBytes,
    tunnelBytes: config.tunnelMaxHeldBytes,
  })
  return new HeldBudgets({ limits, clock, log })
}

function createSwitchboard(
  replica: ReplicaContext,
  { directory, store }: ReplicaDatabase,
  parts: {
    readonly tokens: TokenIssuer
    readonly history: ServiceHistory
    readonly budgets: HeldBudgets
  },
): Switchboard {
  const { config, id, incarnation, startedAt, registry, tunnelCounts, clock, log } = replica
  return new Switchboard({
    ...parts,
    replicaId: id,
    identity: {
      agent: `plugboard/${VERSION}`,
      instance: incarnation,
      name: config.name,
      startedAt: startedAt.getTime(),
      features: tracesReceiver(config) === undefined ? [] : [TRACES_FEATURE],
    },
    directory,
    store,
    registry,
    urlOf: ({ host, mountPath }) => replica.address.urlOf(host, mountPath),
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
    tunnelCounts,
    clock,
    log,
  })
}

function createCluster(
  replica: ReplicaContext,
  { directory, store }: ReplicaDatabase,
  parts: {
    readonly switchboard: Switchboard
    readonly budgets: HeldBudgets
    readonly sharedBudgets: RequestLimits['budgets']
    readonly respondToQuery: RespondToQuery
  },
): Cluster | undefined {
  const { config, limits, id, incarnation, startedAt, registry, tunnelCounts, clock, log, running } = replica
  if (config.clusterSecret === undefined) return undefined
  const { switchboard, budgets, sharedBudgets, respondToQuery } = parts
  const names = new ServiceNames(directory)
  // A peer has chosen this replica, so a stream of the peer uses only lines of this replica.
  const own = new LinePicker({
    registry,
    names,
    overrides: new DirectoryOverrides(directory),
    countsTunnelStreams: true,
    upstreamOf: line => (line.replicaId === id ? switchboard.tunnels.upstreamOf(line) : undefined),
  })
  const lines = new LocalLines({
    picker: own,
    serviceOf: announced => names.serviceOf(announced),
    tunnelOf: (tunnelId, service) => switchboard.tunnels.tunnelOf(tunnelId, service),
  })
  running.add('lines for peers', () => lines.close())
  const cluster = new Cluster(
    {
      config,
      maxPeerConnections: limits.maxPeerConnections,
      self: { id, incarnation: incarnation },
      startedAt,
      registry,
      tunnelCounts,
      sharedBudgets,
      observeHub: replica.observation.hub,
      rows: store.replicas,
      tunnels: switchboard.tunnels,
      mover: switchboard.mover,
      openLocal: (target, opening, events, end) => lines.open(target, opening, events, end),
      respondToQuery,
      heldOf: line => budgets.ofRemote(line),
      appliedSequence: () => directory.appliedSequence,
      clock,
      log,
    },
    config.clusterSecret,
  )
  replica.lifecycle.recovering = () => cluster.network.recovery.underWay
  return cluster
}
