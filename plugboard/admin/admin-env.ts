// The variables of a request in the middleware of the admin API, and the parts of Plugboard that the API needs
// (replica/ports/admin-port.ts provides them).

import type { IncomingMessage } from 'node:http'
import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { Scraper } from '@vera-stack/shared/metrics/scraper.ts'
import type { ServiceId, TokenId } from '../common/ids/row-ids.ts'
import type { Phase } from '../common/phase.ts'
import type { ServiceError } from '../common/service-error.ts'
import type { AdminKey, Mutation, NewSigningKey, Store, Token } from '../database/store/store.ts'
import type { ExchangeParams } from '../observe/exchanges/exchange-filter.ts'
import type { ReplayRequest, ReplayResult } from '../observe/exchanges/replay-types.ts'
import type { RequestFilter } from '../observe/requests/request-filter.ts'
import type { ObserveViewer } from '../observe/stream/observe-viewer.ts'
import type { TrafficFeedParams } from '../observe/traffic/traffic-feed.ts'
import type { Directory } from '../routes/directory.ts'
import type { DryRequest, DryResult } from '../routes/dry-run-types.ts'
import type { OutboundNetworks } from '../routes/options/outbound-networks.ts'
import type { ServiceLines } from '../telephones/lines/service-lines.ts'
import type { ListedTelephone } from '../telephones/listed-telephone.ts'
import type { TokenRefusals } from '../telephones/tokens/token-refusals.ts'
import type { DoctorBody } from './bodies/check.ts'
import type { LimitsBody } from './bodies/policy/limit-counters.ts'
import type { MissingReplicas, ReplicaBody, ServiceLinesBody } from './bodies/replica.ts'
import type { TrafficBody } from './bodies/traffic.ts'
import type { ClusterState } from './live/cluster/cluster-state.ts'
import type { ClusterView } from './live/cluster-view.ts'
import type { ExchangeView } from './live/exchanges/exchange-view.ts'
import type { LimitView } from './live/policy/limit-view.ts'
import type { ProcessView } from './live/policy/process-view.ts'
import type { RequestView } from './live/requests/request-view.ts'
import type { RouteTrafficView } from './live/traffic/route-traffic-view.ts'
import type { TrafficView } from './live/traffic/traffic-view.ts'
import type { TunnelEventsView } from './live/tunnels/tunnel-events-view.ts'
import type { DashboardSessions, Session } from './session/dashboard-sessions.ts'

/** Issues and revokes the JWTs of telephones. */
export interface TokenIssuer {
  /** Resolves with the new token and its row. No other call returns the token itself. With `by.dryRun`, the token is empty. */
  issue(
    input: {
      readonly name: string
      readonly services: readonly string[]
      readonly mounts: readonly string[]
      /** Absent or null: the default of the settings. */
      readonly limits?:
        | {
            readonly tunnels?: number | null | undefined
            readonly claims?: number | null | undefined
            readonly announcementsPerMinute?: number | null | undefined
          }
        | undefined
      readonly ttlSeconds: number
    },
    by: Mutation,
  ): Promise<{ readonly row: Token; readonly token: string }>
  /** Resolves with the row after the revocation. */
  revoke(id: TokenId, by: Mutation): Promise<Token>
}

/** The tunnels of this replica. */
export interface TelephoneDirectory {
  list(): readonly ListedTelephone[]
  /** Returns the number of open tunnels of one of our own tokens, on all replicas. */
  tunnelsOfToken(id: string): number
  /** Returns the refusals of this replica since its start. */
  tokenRefusals(): TokenRefusals
}

/** The replicas of the cluster, as this one sees them. */
export interface ReplicaDirectory {
  list(): ReplicaBody[]
  /** `enabled`: this replica rebalances its tunnels. `asked`: the number of tunnels that it asked to move since the start. */
  rebalance(): { readonly enabled: boolean; readonly asked: number }
  /** Returns the lines of each service on each replica that this replica has received. */
  lines(): ServiceLinesBody[]
  /** Returns the replicas whose lines are missing or incomplete in `lines`. */
  withoutLines(): MissingReplicas
}

/** The live data of all replicas. */
export interface LiveRequests {
  /** Sends the lines that the filter selects to the viewer. */
  watch(filter: RequestFilter, viewer: ObserveViewer): LiveWatch
  /** Sends the summaries of the exchanges of one service to the viewer. */
  watchExchanges(params: ExchangeParams, viewer: ObserveViewer): LiveWatch
}

/** The live traffic of all replicas. */
export interface LiveTraffic {
  /** Sends TrafficSecond items to the viewer. */
  watch(params: TrafficFeedParams, viewer: ObserveViewer): LiveWatch
}

export interface LiveWatch {
  /** Returns the replicas that send their lines, and the others. */
  replicas(): { readonly watched: readonly string[]; readonly missing: MissingReplicas }
  close(): void
}

export interface AdminDependencies {
  readonly store: Store
  readonly directory: Pick<
    Directory,
    | 'source'
    | 'appliedSequence'
    | 'databaseReachable'
    | 'notificationsArrive'
    | 'routeCount'
    | 'services'
    | 'routesOfService'
    | 'routes'
    | 'routeCountOf'
    | 'routesOfHost'
    | 'serviceByName'
    | 'service'
    | 'overrideOf'
    | 'subscribe'
    | 'verificationKeys'
    | 'waitForSequence'
  >
  readonly tokens: TokenIssuer
  /** The log-ins of the dashboard. */
  readonly sessions: DashboardSessions
  readonly telephones: TelephoneDirectory
  readonly replicas: ReplicaDirectory
  /** The combined state of all replicas. */
  readonly cluster: ClusterView
  /** The state of each replica in its own view. */
  readonly clusterState: Pick<ClusterState, 'read'>
  /** The history of the tunnels of all replicas, and the disconnect of a telephone. */
  readonly tunnelEvents: Pick<TunnelEventsView, 'history' | 'disconnect'>
  /** The lines of services, on all replicas. */
  readonly lines: Pick<ServiceLines, 'linesOf' | 'statesOf' | 'isServed' | 'lastLineOf'>
  /** The failed and slow requests of all replicas. */
  readonly requests: Pick<RequestView, 'list' | 'explain'>
  readonly liveLog: LiveRequests
  /** The captured exchanges of all replicas. */
  readonly exchanges: Pick<ExchangeView, 'list' | 'get'>
  /** Sends a captured request again. Never rejects. */
  readonly replay: (request: ReplayRequest) => Promise<ReplayResult>
  /** Resolves with the decision of the public port about a request; with undefined while that port is not open yet. */
  readonly dryRun: (request: DryRequest) => Promise<DryResult | undefined>
  /** Undefined while the public port is not open yet. */
  readonly traffic: () => TrafficBody | undefined
  /** The rate limits of all rows, with their decisions on all replicas. */
  readonly limitView: Pick<LimitView, 'list'>
  /** The processes of services, with their state on all replicas. */
  readonly processView: Pick<ProcessView, 'of'>
  readonly metrics: Pick<Scraper, 'scrape'>
  /** The traffic of the last hours, of all replicas. */
  readonly trafficView: Pick<TrafficView, 'read'>
  /** The traffic of routes in the last minutes, of all replicas. */
  readonly routeTraffic: Pick<RouteTrafficView, 'read'>
  /** The traffic of each second, of all replicas. */
  readonly liveTraffic: LiveTraffic
  /** Calls `listener` with a service whose lines have changed. Returns a function that unsubscribes. */
  readonly lineChanges: (listener: (service: string) => void) => () => void
  /** The counters of the limits of requests on this replica. */
  readonly limits: () => LimitsBody
  /** Runs all checks of this replica. Never rejects. */
  readonly doctor: () => Promise<DoctorBody>
  /** The last failed request of each service on this replica, by the id of the service, the newest first. */
  readonly lastErrors: (limit: number) => readonly (readonly [serviceId: ServiceId, error: ServiceError])[]
  /** The networks that URLs in routes may lead to. */
  readonly outbound: OutboundNetworks
  /** Most bytes of a bundle, compressed and decompressed. */
  readonly maxBundleBytes: number
  /** The URL at which telephones reach this Plugboard. */
  readonly plugboardUrl: () => string
  /** For the rotation of signing keys. */
  readonly generateSigningKey: () => Promise<NewSigningKey>
  readonly log: Logger
  readonly clock: Clock
  readonly replicaId: string
  /** The version of the software. */
  readonly version: string
  /** The name and the colour of this installation, for people who use several. */
  readonly environment?: { readonly name: string; readonly color: string } | undefined
  readonly phase: () => Phase
  /** Hosts (without port) that a request may name; undefined: any host. See `allowedHosts` in access/request-guard.ts. */
  readonly allowedHosts?: ReadonlySet<string> | undefined
  /** Origins whose pages may use the elements of the dashboard (access/embedding.ts). Default: none. */
  readonly embeddingOrigins?: ReadonlySet<string> | undefined
  /** Event streams that may be open at once. Default 100. */
  readonly maxEventStreams?: number | undefined
}

export interface AdminEnv {
  /** `incoming`: the request as Node has parsed it; absent when the app is called without a server. */
  Bindings: {
    readonly incoming?: Partial<Pick<IncomingMessage, 'headers' | 'rawHeaders'>> & {
      readonly socket: { readonly remoteAddress?: string | undefined }
    }
  }
  Variables: {
    requestId: string
    log: Logger
    /** The origin of the page with the element that has sent the request; undefined for all other requests. */
    embeddingOrigin: string | undefined
    /** Set by `authenticate`. */
    key: AdminKey
    /** The writer: the id of the key, and its name in the audit log (`admin-key:<id>`). */
    by: Mutation
    /** The dashboard session of the request; undefined when it has sent its credential itself. */
    session: Session | undefined
  }
}
