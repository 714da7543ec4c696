// Creates the view of the whole cluster from the state of this replica and from queries to the other replicas. The
// composition root passes the view to the admin API, and to the peers, whose queries it responds to.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { MAX_CERTIFICATES } from '../../admin/bodies/cluster-status.ts'
import type { LimitShareBody } from '../../admin/bodies/policy/limit.ts'
import type { AskReplicas } from '../../admin/live/ask-replicas.ts'
import { ClusterState, type ClusterStateOptions } from '../../admin/live/cluster/cluster-state.ts'
import { ClusterView, type ClusterViewOptions } from '../../admin/live/cluster-view.ts'
import { ExchangeView } from '../../admin/live/exchanges/exchange-view.ts'
import { LimitView, type LimitViewOptions } from '../../admin/live/policy/limit-view.ts'
import { ProcessView, type ProcessViewOptions } from '../../admin/live/policy/process-view.ts'
import { openBreakers, stoppedSubsets } from '../../admin/live/policy/stopped.ts'
import { RequestView } from '../../admin/live/requests/request-view.ts'
import { RouteTrafficView } from '../../admin/live/traffic/route-traffic-view.ts'
import { TrafficView } from '../../admin/live/traffic/traffic-view.ts'
import { TunnelEventsView } from '../../admin/live/tunnels/tunnel-events-view.ts'
import type { ReplicaId } from '../../common/ids/replica-id.ts'
import type { CertificateOrder } from '../../database/store/store.ts'
import type { Observation } from '../../observe/observation.ts'
import type { KnownReplica } from '../../peers/known-replicas.ts'
import type { Registry } from '../../registry/registry.ts'
import type { Directory } from '../../routes/directory.ts'
import type { ServiceHistory } from '../../telephones/lines/service-history.ts'
import { ServiceLines } from '../../telephones/lines/service-lines.ts'
import { listEjections, listServiceEjections } from '../../telephones/outliers/ejection-list.ts'
import type { LinePicker } from '../../telephones/picker/line-picker.ts'
import type { Switchboard } from '../../telephones/switchboard.ts'
import type { RequestLimits } from '../limits/request-limits.ts'
import type { Cluster } from './cluster.ts'

export interface WholeClusterOptions {
  readonly replicaId: ReplicaId
  readonly startedAt: Date
  readonly clock: Clock
  readonly registry: Registry
  readonly directory: LimitViewOptions['directory'] & Pick<Directory, 'overrideOf'>
  readonly picker: LinePicker
  readonly history: ServiceHistory
  readonly switchboard: Pick<Switchboard, 'list' | 'history' | 'disconnect'>
  /** Undefined without other replicas. */
  readonly cluster: Cluster | undefined
  readonly limits: RequestLimits
  readonly ownState: ClusterStateOptions['own']
  /** Rejects while the database is unavailable. */
  readonly orders: (limit: number) => Promise<readonly CertificateOrder[]>
  readonly lastErrorOf: ClusterViewOptions['lastErrorOf']
  readonly policyState: ProcessViewOptions['policyState']
  readonly observation: Pick<Observation, 'failures' | 'inspector' | 'traffic'>
}

export interface WholeCluster {
  readonly view: ClusterView
  readonly state: ClusterState
  readonly tunnelEvents: TunnelEventsView
  readonly lines: ServiceLines
  readonly limits: LimitView
  readonly processes: ProcessView
  /** Returns the response to a query of another replica; undefined for an unknown name. */
  readonly respond: (name: string, params: unknown) => object | undefined
  readonly requests: RequestView
  readonly exchanges: ExchangeView
  readonly traffic: TrafficView
  readonly routeTraffic: RouteTrafficView
}

export function createWholeCluster(options: WholeClusterOptions): WholeCluster {
  const { replicaId, startedAt, directory, picker, switchboard, cluster, lastErrorOf, clock } = options
  const lines = new ServiceLines(options)
  const ask: AskReplicas = async (name, params) => {
    const { responses, missing } = (await cluster?.network.query(name, params)) ?? NO_OTHERS
    return { responses, missing: [...missing] }
  }
  const view = new ClusterView({
    replicaId,
    startedAt,
    lastErrorOf,
    telephones: () => switchboard.list(),
    ejections: () => ({
      items: listEjections(picker.pools, clock, replicaId),
      services: listServiceEjections(picker.ejectionCounts, clock, replicaId),
      subsets: stoppedSubsets(picker.pools, clock, replicaId),
      breakers: openBreakers(options.policyState(), directory, clock, replicaId),
    }),
    serviceByName: name => directory.serviceByName(name),
    overrideOf: (id, instance) => directory.overrideOf(id, instance),
    serviceById: id => directory.service(id),
    lastLineOf: service => lines.lastLineOf(service),
    refusalOf: service => lines.refusalOf(service),
    ask,
  })
  const { routeLimits, limiter } = options.limits
  const limits = new LimitView({
    replicaId,
    directory,
    routeLimits,
    table: limiter.table,
    shares: () => limitShares(cluster?.network.replicas() ?? []),
    clock,
    ask,
  })
  const processes = new ProcessView({
    replicaId,
    directory,
    picker,
    policyState: options.policyState,
    clock,
    ask,
  })
  const state = new ClusterState({
    own: options.ownState,
    // The state of replicas does not need the database.
    orders: () => options.orders(MAX_CERTIFICATES).catch(() => []),
    clock,
    ask,
  })
  const tunnelEvents = new TunnelEventsView({
    eventsOf: name => switchboard.history.eventsOf(name),
    ends: () => switchboard.history.ends(),
    disconnect: (name, detail) => switchboard.disconnect(name, detail),
    ask,
  })
  const { failures, inspector } = options.observation
  const requests = new RequestView({ replicaId, failures, ask })
  const exchanges = new ExchangeView({ replicaId, ring: inspector.ring, ask })
  const traffic = new TrafficView({ history: () => options.observation.traffic.history, clock, ask })
  const routeTraffic = new RouteTrafficView({ routes: () => options.observation.traffic.routes, clock, ask })
  const respond = (name: string, params: unknown) =>
    view.respond(name, params) ??
    state.respond(name) ??
    tunnelEvents.respond(name, params) ??
    limits.respond(name, params) ??
    processes.respond(name, params) ??
    requests.respond(name, params) ??
    exchanges.respond(name, params) ??
    traffic.respond(name, params) ??
    routeTraffic.respond(name, params)
  return {
    view,
    state,
    tunnelEvents,
    lines,
    limits,
    processes,
    requests,
    exchanges,
    traffic,
    routeTraffic,
    respond,
  }
}

/** Returns the exchange of limits with each replica that has a link to this one. */
function limitShares(known: readonly KnownReplica[]): LimitShareBody[] {
  return known.flatMap(({ id, shareState, shareAgeMs }) =>
    shareState === undefined
      ? []
      : [
          {
            peerId: id,
            state: shareState,
            ageMs: shareAgeMs === undefined ? null : Math.round(shareAgeMs),
          },
        ],
  )
}

const NO_OTHERS = { responses: [], missing: [] }
