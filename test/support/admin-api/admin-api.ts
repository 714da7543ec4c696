// An admin API over a real database, for tests. Plain objects replace its other parts: the directory, the Telephones and the
// issuer. Every response is compared with the OpenAPI document.

import { randomUUID } from 'node:crypto'
import { systemClock } from '@vera-stack/shared/clock.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { metricsOf } from '@vera-stack/shared/metrics/metric.ts'
import { Scraper } from '@vera-stack/shared/metrics/scraper.ts'
import { createApiKey } from '../../../plugboard/admin/access/api-key-format.ts'
import { type AdminApp, createAdminApp } from '../../../plugboard/admin/admin-app.ts'
import type { AdminDependencies } from '../../../plugboard/admin/admin-env.ts'
import type {
  CheckBody,
  LimitsBody,
  MissingReplicas,
  ReplicaBody,
  ServiceLinesBody,
  TrafficBody,
} from '../../../plugboard/admin/api-types.ts'
import { MAX_CERTIFICATES, type RemoteState } from '../../../plugboard/admin/bodies/cluster-status.ts'
import type { ReplicaEjections } from '../../../plugboard/admin/bodies/policy/ejection.ts'
import type { LimitShareBody } from '../../../plugboard/admin/bodies/policy/limit.ts'
import type { AskReplicas } from '../../../plugboard/admin/live/ask-replicas.ts'
import { ClusterState } from '../../../plugboard/admin/live/cluster/cluster-state.ts'
import { ClusterView } from '../../../plugboard/admin/live/cluster-view.ts'
import { ExchangeView } from '../../../plugboard/admin/live/exchanges/exchange-view.ts'
import { LimitView } from '../../../plugboard/admin/live/policy/limit-view.ts'
import type { PolicyState } from '../../../plugboard/admin/live/policy/policy-state.ts'
import { ProcessView } from '../../../plugboard/admin/live/policy/process-view.ts'
import { RequestView } from '../../../plugboard/admin/live/requests/request-view.ts'
import { RouteTrafficView } from '../../../plugboard/admin/live/traffic/route-traffic-view.ts'
import { TrafficView } from '../../../plugboard/admin/live/traffic/traffic-view.ts'
import { TunnelEventsView } from '../../../plugboard/admin/live/tunnels/tunnel-events-view.ts'
import { DashboardSessions } from '../../../plugboard/admin/session/dashboard-sessions.ts'
import { asTokenId, type ServiceId } from '../../../plugboard/common/ids/row-ids.ts'
import type { ServiceError } from '../../../plugboard/common/service-error.ts'
import type { Store } from '../../../plugboard/database/store/store.ts'
import { Limiter } from '../../../plugboard/limits/limiter.ts'
import { RouteLimits } from '../../../plugboard/limits/route-limits.ts'
import type { ReplayRequest, ReplayResult } from '../../../plugboard/observe/exchanges/replay-types.ts'
import { createObservation } from '../../../plugboard/observe/observation.ts'
import type { Line } from '../../../plugboard/registry/line.ts'
import { createLiveRequests, createLiveTraffic } from '../../../plugboard/replica/cluster/live-watch.ts'
import type {
  DirectoryListener,
  DirectoryRoute,
  DirectoryService,
} from '../../../plugboard/routes/directory.ts'
import type { DryRequest, DryResult } from '../../../plugboard/routes/dry-run-types.ts'
import { OutboundNetworks } from '../../../plugboard/routes/options/outbound-networks.ts'
import { OverrideTable } from '../../../plugboard/routes/override-table.ts'
import type { LastLine, RefusedAnnouncement } from '../../../plugboard/telephones/lines/service-history.ts'
import type { LineState } from '../../../plugboard/telephones/lines/service-lines.ts'
import type { ListedTelephone } from '../../../plugboard/telephones/listed-telephone.ts'
import type { TokenRefusals } from '../../../plugboard/telephones/tokens/token-refusals.ts'
import { TunnelHistory } from '../../../plugboard/telephones/tunnels/tunnel-history.ts'
import { SimulatedPool } from '../harness/simulated-pool.ts'
import { OpenApiCheck } from './openapi-check.ts'
import { SAMPLE_STATE } from './sample-state.ts'

export interface CallOptions {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Default: a key with all rights. Null: no key. */
  readonly key?: string | null
  readonly remoteAddress?: string
}

export interface CallResponse {
  readonly status: number
  readonly headers: Headers
  /** The parsed body, without a type: the test has the expected shape. */
  // biome-ignore lint/suspicious/noExplicitAny: assertions read the fields they expect
  readonly body: any
  readonly etag: string
}

const TEST_METRICS = { up: { type: 'gauge', help: 'x', labels: [], unit: '1' } } as const

export class AdminApiHarness {
  readonly app: AdminApp
  readonly adminKey: string
  readonly telephones: ListedTelephone[] = []
  tokenRefusals: TokenRefusals = { tunnels: 0, claims: 0, announcements: 0 }
  traffic: TrafficBody | undefined
  readonly checks: CheckBody[] = []
  limits: LimitsBody = { keys: 0, maxKeys: 200_000, evictions: 0, rejected: 0, unwritten: 0 }
  readonly replicas: ReplicaBody[] = []
  readonly lines: ServiceLinesBody[] = []
  readonly listeners = new Set<DirectoryListener>()
  readonly services: DirectoryService[] = []
  readonly overrides = new OverrideTable()
  readonly routesOfServices: DirectoryRoute[] = []
  readonly lineStates: { readonly line: Line; readonly state: LineState }[] = []
  /** By the id of the service. */
  readonly lastLines = new Map<string, LastLine>()
  readonly serviceRefusals = new Map<string, RefusedAnnouncement>()
  readonly lastErrors = new Map<ServiceId, ServiceError>()
  /** Responses of other replicas, by the name of the query. */
  readonly remote: {
    readonly replicaId: string
    readonly respond: (name: string, params: object) => unknown
  }[] = []
  readonly missing: MissingReplicas = []
  readonly tunnelHistory = new TunnelHistory(systemClock)
  /** The disconnects of telephones on this replica, with their reasons. */
  readonly disconnected: (readonly [name: string, detail: string])[] = []
  /** The state of this replica. */
  ownState: RemoteState = SAMPLE_STATE
  /** The ejections of this replica. */
  readonly ejections: ReplicaEjections = { items: [], services: [], subsets: [], breakers: [] }
  /** The requests that were replayed, and the result of each. */
  replay: (request: ReplayRequest) => Promise<ReplayResult> = () => Promise.resolve({ kind: 'unavailable' })
  dryRun: (request: DryRequest) => Promise<DryResult | undefined> = () => Promise.resolve(undefined)
  readonly cluster = new ClusterView({
    replicaId: 'r1',
    startedAt: new Date(0),
    telephones: () => this.telephones,
    ejections: () => this.ejections,
    lastErrorOf: id => this.lastErrors.get(id),
    serviceByName: name => this.services.find(service => service.name === name),
    overrideOf: (id, instance) => this.overrides.get({ serviceId: id, instance }),
    serviceById: id => this.services.find(service => service.id === id),
    lastLineOf: ({ id }) => this.lastLines.get(id),
    refusalOf: ({ id }) => this.serviceRefusals.get(id),
    ask: (name, params) => this.#ask(name, params),
  })
  /** The failed requests and the live log of this replica. */
  readonly observation = createObservation('r1', systemClock)
  readonly routeLimits = new RouteLimits()
  readonly limiter = new Limiter()
  /** The exchange of limits of this replica. */
  readonly limitShares: LimitShareBody[] = []
  /** The telephones of one service. */
  readonly pool = new SimulatedPool({})
  policyState: PolicyState | undefined
  readonly processView = new ProcessView({
    replicaId: 'r1',
    directory: {
      service: id => this.services.find(service => service.id === id),
      overrideOf: (id, instance) => this.overrides.get({ serviceId: id, instance }),
      serviceByName: name => this.services.find(service => service.name === name),
    },
    picker: this.pool.picker,
    policyState: () => this.policyState,
    clock: this.pool.clock,
    ask: (name, params) => this.#ask(name, params),
  })
  readonly limitView = new LimitView({
    replicaId: 'r1',
    directory: {
      services: () => this.services.values(),
      service: id => this.services.find(service => service.id === id),
      serviceByName: name => this.services.find(service => service.name === name),
      routes: () => this.routesOfServices.values(),
      route: id => this.routesOfServices.find(route => route.id === id),
      routesOfService: id => this.routesOfServices.filter(({ service }) => service.id === id).values(),
      match: (host, path) =>
        this.routesOfServices.find(each => each.host === host && each.mountPath === path),
    },
    routeLimits: this.routeLimits,
    table: this.limiter.table,
    shares: () => this.limitShares,
    clock: systemClock,
    ask: (name, params) => this.#ask(name, params),
  })
  readonly directory = {
    source: 'database' as 'database' | 'snapshot' | undefined,
    appliedSequence: 0,
    databaseReachable: true,
    notificationsArrive: true,
    routeCount: 0,
    routes: () => this.routesOfServices.values(),
    routesOfHost: (pattern: string) => this.routesOfServices.filter(({ host }) => host === pattern),
    routeCountOf: (id: string) => this.routesOfServices.filter(({ service }) => service.id === id).length,
    serviceByName: (name: string) => this.services.find(service => service.name === name),
    service: (id: string) => this.services.find(service => service.id === id),
    overrideOf: (id: ServiceId, instance: string) => this.overrides.get({ serviceId: id, instance }),
    services: () => this.services.values(),
    routesOfService: (id: string) =>
      this.routesOfServices.filter(({ service }) => service.id === id).values(),
    verificationKeys: () => [
      { kid: 'k1', algorithm: 'EdDSA' as const, publicJwk: { kty: 'OKP', crv: 'Ed25519', x: 'AA' } },
    ],
    waitForSequence: (_sequence: number, _signal?: AbortSignal): Promise<void> => Promise.resolve(),
    subscribe: (listener: DirectoryListener) => {
      this.listeners.add(listener)
      return () => void this.listeners.delete(listener)
    },
  }
  readonly lineListeners = new Set<(service: string) => void>()
  readonly #watchable = { replicaId: 'r1', hub: this.observation.hub, network: undefined }
  readonly #store: Store
  readonly #check: OpenApiCheck

  static async create(store: Store, overrides: Partial<AdminDependencies> = {}): Promise<AdminApiHarness> {
    const { key, prefix, hash } = createApiKey()
    await store.adminKeys.create({ name: 'test', prefix, hash, scopes: ['admin'] }, { actor: 'test' })
    return new AdminApiHarness(store, key, overrides)
  }

  private constructor(store: Store, adminKey: string, overrides: Partial<AdminDependencies>) {
    this.#store = store
    this.adminKey = adminKey
    this.app = createAdminApp({
      store,
      directory: this.directory,
      metrics: new Scraper(() => metricsOf(TEST_METRICS, { up: sink => sink.value([], 1) })),
      telephones: {
        list: () => this.telephones,
        tunnelsOfToken: id => this.telephones.filter(({ tokenId }) => tokenId === id).length,
        tokenRefusals: () => this.tokenRefusals,
      },
      replicas: {
        list: () => this.replicas,
        lines: () => this.lines,
        withoutLines: () => this.missing,
        rebalance: () => ({ enabled: false, asked: 0 }),
      },
      cluster: this.cluster,
      tunnelEvents: new TunnelEventsView({
        eventsOf: name => this.tunnelHistory.eventsOf(name),
        ends: () => this.tunnelHistory.ends(),
        disconnect: (name, detail) => {
          this.disconnected.push([name, detail])
          return this.telephones.filter(telephone => telephone.name === name).length
        },
        ask: (name, params) => this.#ask(name, params),
      }),
      clusterState: new ClusterState({
        own: () => this.ownState,
        orders: () => store.certificates.orders(MAX_CERTIFICATES),
        clock: systemClock,
        ask: (name, params) => this.#ask(name, params),
      }),
      requests: new RequestView({
        replicaId: 'r1',
        failures: this.observation.failures,
        ask: (name, params) => this.#ask(name, params),
      }),
      exchanges: new ExchangeView({
        replicaId: 'r1',
        ring: this.observation.inspector.ring,
        ask: (name, params) => this.#ask(name, params),
      }),
      replay: request => this.replay(request),
      liveLog: createLiveRequests(this.#watchable),
      liveTraffic: createLiveTraffic(this.#watchable),
      trafficView: new TrafficView({
        history: () => this.observation.traffic.history,
        clock: systemClock,
        ask: (name, params) => this.#ask(name, params),
      }),
      routeTraffic: new RouteTrafficView({
        routes: () => this.observation.traffic.routes,
        clock: systemClock,
        ask: (name, params) => this.#ask(name, params),
      }),
      lineChanges: listener => {
        this.lineListeners.add(listener)
        return () => this.lineListeners.delete(listener)
      },
      lines: {
        linesOf: ({ name }) => this.#statesOf(name).map(({ line }) => line),
        statesOf: ({ name }) => this.#statesOf(name).values(),
        isServed: ({ name }) => this.#statesOf(name).some(({ state }) => state === 'serving'),
        lastLineOf: ({ id }) => this.lastLines.get(id),
      },
      dryRun: request => this.dryRun(request),
      traffic: () => this.traffic,
      limitView: this.limitView,
      processView: this.processView,
      limits: () => this.limits,
      lastErrors: limit => [...this.lastErrors].slice(0, limit),
      doctor: () =>
        Promise.resolve({
          replicaId: 'r1',
          version: '0.0.0',
          node: process.versions.node,
          checkedAt: new Date(0).toISOString(),
          items: this.checks,
        }),
      tokens: {
        issue: async (input, by) => {
          const { tunnels, claims, announcementsPerMinute } = input.limits ?? {}
          const limits = {
            maxTunnels: tunnels ?? null,
            maxClaims: claims ?? null,
            maxAnnouncementsPerMinute: announcementsPerMinute ?? null,
          }
          const row = await store.tokens.create({ ...input, ...limits }, by)
          return { row, token: by.dryRun === true ? '' : `header.${row.id}.signature` }
        },
        revoke: (id, by) => store.tokens.revoke(asTokenId(id), by),
      },
      outbound: new OutboundNetworks([]),
      maxBundleBytes: 64 * 1024 * 1024,
      plugboardUrl: () => 'https://proxy.test',
      generateSigningKey: () =>
        Promise.resolve({
          kid: randomUUID(),
          publicJwk: { kty: 'OKP', crv: 'Ed25519', x: 'AA' },
          privateJwk: { kty: 'OKP', crv: 'Ed25519', x: 'AA', d: 'BB' },
        }),
      log: silentLogger,
      clock: systemClock,
      sessions: new DashboardSessions({ clock: systemClock }),
      replicaId: 'r1',
      version: '0.0.0',
      phase: () => 'ready',
      ...overrides,
    })
    this.#check = new OpenApiCheck(this.app.document())
  }

  /** Creates a key with these scopes. */
  async key(scopes: readonly string[], expiresAt: Date | null = null): Promise<{ key: string; id: string }> {
    const { key, prefix, hash } = createApiKey()
    const row = await this.#store.adminKeys.create(
      { name: 'test', prefix, hash, scopes, expiresAt },
      { actor: 'test' },
    )
    return { key, id: row.id }
  }

  #ask(name: string, params: object): ReturnType<AskReplicas> {
    const responses = this.remote.map(({ replicaId, respond }) => ({
      replicaId,
      value: respond(name, params),
    }))
    return Promise.resolve({ responses, missing: this.missing })
  }

  #statesOf(service: string): { readonly line: Line; readonly state: LineState }[] {
    return this.lineStates.filter(({ line }) => line.service === service)
  }

  /** Notifies the followers of the directory about a change. */
  applied(sequence: number): void {
    for (const listener of this.listeners) listener.applied?.(sequence)
  }

  request(method: string, path: string, options: CallOptions = {}): Request {
    const { body, key = this.adminKey, headers = {} } = options
    return new Request(`http://127.0.0.1:4001${path}`, {
      method,
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
    })
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<CallResponse> {
    const request = this.request(method, path, options)
    const remoteAddress = options.remoteAddress ?? '127.0.0.1'
    const response = await this.app.fetch(request, { incoming: { socket: { remoteAddress } } })
    const text = await response.text()
    const contentType = response.headers.get('content-type')?.split(';')[0]
    const parse = (json: string): unknown => JSON.parse(json)
    const body = text === '' ? undefined : contentType === 'text/plain' ? text : parse(text)
    const { pathname } = new URL(request.url)
    this.#check.check(method, pathname, { status: response.status, contentType, body })
    return {
      status: response.status,
      headers: response.headers,
      body,
      etag: response.headers.get('etag') ?? '',
    }
  }
}
