// The admin port of a replica: passes the state of this replica to the admin API, and opens its port.

import type { AddressInfo } from 'node:net'
import { allowedHosts } from '../../admin/access/request-guard.ts'
import { createAdminApp } from '../../admin/admin-app.ts'
import { startAdminServer } from '../../admin/admin-server.ts'
import type { DashboardSessions } from '../../admin/session/dashboard-sessions.ts'
import type { Line } from '../../registry/line.ts'
import type { Registry } from '../../registry/registry.ts'
import { OutboundNetworks } from '../../routes/options/outbound-networks.ts'
import { generateSigningKey } from '../../telephones/tokens/tokens.ts'
import { VERSION } from '../../version.ts'
import { createLiveRequests, createLiveTraffic } from '../cluster/live-watch.ts'
import type { ReplicaDatabase } from '../database/replica-database.ts'
import { runReplicaDoctor } from '../doctor/replica-doctor.ts'
import type { RequestLimits } from '../limits/request-limits.ts'
import type { ReplicaMetrics } from '../metrics/replica-metrics.ts'
import type { ReplicaContext } from '../replica-context.ts'
import type { TelephoneSide } from '../telephone-side.ts'
import type { PublicPorts } from './public-ports.ts'

/** The limit of open event streams of changes. */
const MAX_EVENT_STREAMS = 100
/** The time for admin requests that are in progress at the stop, ms. */
const ADMIN_GRACE_MS = 2000

export interface AdminPortParts {
  readonly database: ReplicaDatabase
  readonly telephones: TelephoneSide
  readonly sessions: DashboardSessions
  readonly limits: RequestLimits
  readonly metrics: ReplicaMetrics
  /** Returns the public ports, or undefined while they are not open. */
  readonly ports: () => PublicPorts | undefined
}

/** Rejects with StartupError. */
export async function startAdminPort(replica: ReplicaContext, parts: AdminPortParts): Promise<AddressInfo> {
  const { database, telephones, sessions, limits: requestLimits, metrics, ports } = parts
  const { store, directory } = database
  const { config, limits, log, clock, running, lifecycle } = replica
  const { tokens, switchboard, whole, replicas } = telephones
  const watchable = {
    replicaId: replica.id,
    hub: replica.observation.hub,
    network: telephones.cluster?.network,
  }
  const app = createAdminApp({
    store,
    directory,
    tokens,
    sessions,
    telephones: {
      list: () => switchboard.list(),
      tunnelsOfToken: id => switchboard.tunnelsOfToken(id),
      tokenRefusals: () => switchboard.tokenRefusals,
    },
    replicas,
    cluster: whole.view,
    clusterState: whole.state,
    tunnelEvents: whole.tunnelEvents,
    requests: whole.requests,
    exchanges: whole.exchanges,
    replay: request => ports()?.replay(request) ?? Promise.resolve({ kind: 'unavailable' }),
    liveLog: createLiveRequests(watchable),
    liveTraffic: createLiveTraffic(watchable),
    trafficView: whole.traffic,
    routeTraffic: whole.routeTraffic,
    lineChanges: listener => subscribeToLines(replica.registry, listener),
    lines: whole.lines,
    dryRun: request => ports()?.dryRun(request) ?? Promise.resolve(undefined),
    traffic: () => ports()?.traffic(),
    limitView: whole.limits,
    processView: whole.processes,
    limits: () => requestLimits.status(),
    metrics: metrics.scraper,
    lastErrors: limit => ports()?.lastErrors(limit) ?? [],
    doctor: () => runReplicaDoctor({ ...parts, replica, replicas: () => replicas.list() }),
    outbound: new OutboundNetworks(config.outboundNetworks),
    maxBundleBytes: config.maxBundleBytes,
    plugboardUrl: () => replica.address.url,
    generateSigningKey,
    log,
    clock,
    replicaId: replica.id,
    version: VERSION,
    environment:
      config.environmentName === undefined
        ? undefined
        : { name: config.environmentName, color: config.environmentColor },
    phase: () => lifecycle.phase,
    allowedHosts: allowedHosts(config.adminListen.host, config.adminHosts),
    embeddingOrigins: new Set(config.dashboardOrigins),
    // Event streams hold their connections, so some connections are kept for probes and operators.
    maxEventStreams: Math.min(MAX_EVENT_STREAMS, Math.floor(limits.maxAdminConnections / 2)),
  })
  const { maxAdminConnections: maxConnections } = limits
  const starting = startAdminServer({ app, listen: config.adminListen, maxConnections, log })
  const server = await replica.listening(starting, 'adminListen')
  running.add('admin port', () => server.stop(ADMIN_GRACE_MS))
  return server.address
}

function subscribeToLines(registry: Registry, listener: (service: string) => void): () => void {
  const changed = ({ service }: Line): void => listener(service)
  return registry.subscribe({ lineAdded: changed, lineChanged: changed, lineRemoved: changed })
}
