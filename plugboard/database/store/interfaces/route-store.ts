// Routes in the database: their rows, their use, and the claims of telephones.

import type { RouteId, ServiceId } from '../../../common/ids/row-ids.ts'
import type { JsonObject } from '../../../common/json.ts'
import type { TokenReference } from '../values/token-reference.ts'
import type { Scope } from './credential-store.ts'
import type { Mutation, Page, PageRequest, Sort } from './mutation.ts'
import type { Service } from './service-store.ts'

export interface Route {
  readonly id: RouteId
  /** Host pattern: `app.example.com`, `*.example.com` or `*`. */
  readonly host: string
  /** Mount path: `/`, `/api`, `/a/b`. */
  readonly mountPath: string
  /** Both as one string, the way people write it: `app.example.com/api`, `app.example.com`, `*`. */
  readonly mount: string
  /** Null, both: the route responds by itself. */
  readonly serviceId: ServiceId | null
  readonly serviceName: string | null
  /** The options as stored. routes/options/route-options.ts defines their keys. */
  readonly options: JsonObject
  readonly version: number
  /** Holder of the token whose telephone claimed this mount (token-reference.ts); null: made through the admin API. */
  readonly claimedBy: string | null
  /** How long a claimed route outlives the last line of its telephones, ms; null: until a user deletes it. */
  readonly lifetimeMs: number | null
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly deletedAt: Date | null
  /** Not part of the version. Late by up to two minutes; null: no request since this is recorded. */
  readonly lastRequestAt: Date | null
  /** Name of the telephone that got the last request; null: no telephone did. */
  readonly lastTelephone: string | null
}

export interface PruneRequest {
  /** Deletes routes without a request for this long. Only time counts during which some replica recorded. */
  readonly unusedMs: number
  /** Only routes that telephones have claimed. */
  readonly claimedOnly: boolean
  /** True to return the routes without deleting them. */
  readonly dryRun: boolean
  /** Routes that the caller may delete; absent: all. */
  readonly allowed?: ((route: Route) => boolean) | undefined
}

export interface Pruned {
  /** At most 500 routes that were deleted, or with `dryRun` would be. */
  readonly routes: readonly Route[]
  /** True when further routes fit the request. */
  readonly more: boolean
  /** The total time during which replicas have recorded requests, ms. */
  readonly recordedMs: number
}

export interface RouteFilters {
  /** The mount or the name of the service contains this text. */
  readonly q?: string | undefined
  /** The name or the id of the service. */
  readonly service?: string | undefined
  readonly host?: string | undefined
  /** The name of an option that the route has. */
  readonly rule?: string | undefined
  readonly state?: RouteState | undefined
  readonly includeDeleted?: boolean | undefined
}
/** `claimed`: by a telephone; `created`: by another way; `unused`: without a recorded request. */
export const ROUTE_STATES = ['claimed', 'created', 'unused'] as const
export type RouteState = (typeof ROUTE_STATES)[number]
export const ROUTE_SORTS = ['mount', 'createdAt', 'updatedAt', 'lastRequestAt'] as const
/** `lastRequestAt`: routes without a request come first. */
export type RouteSort = Sort<(typeof ROUTE_SORTS)[number]>

export interface RouteStore {
  /** `service`: name or id of a service that is not deleted; null: the options define the response. */
  create(
    input: {
      readonly mount: string
      readonly service: string | null
      readonly options?: JsonObject | undefined
    },
    by: Mutation,
  ): Promise<Route>
  /** A living route by its exact mount, or any by id. */
  get(idOrMount: string): Promise<Route>
  list(
    request?: PageRequest &
      RouteFilters & {
        readonly sort?: RouteSort | undefined
        /** Only these routes. */
        readonly ids?: readonly RouteId[] | undefined
      },
  ): Promise<Page<Route>>
  /** The number of all rows that fit. */
  count(filters: RouteFilters): Promise<number>
  update(
    idOrMount: string,
    patch: {
      readonly mount?: string | undefined
      readonly service?: string | null | undefined
      readonly options?: JsonObject | undefined
    },
    by: Mutation,
  ): Promise<Route>
  /** Soft. */
  remove(idOrMount: string, by: Mutation): Promise<Route>
  /** A living route by its exact mount, else the one of this mount that was deleted last; any by id. */
  getLast(idOrMount: string): Promise<Route>
  /** Makes a deleted route live again. `conflict` when it is not deleted, or its service is deleted. */
  restore(id: RouteId, by: Mutation): Promise<Route>
  /** Soft. Routes with a lifetime stay, because they end by themselves. */
  prune(request: PruneRequest, by: Mutation): Promise<Pruned>
}

/** The use of a route on one replica. Ages in ms, by the replica's monotonic clock. */
export interface RouteUse {
  readonly routeId: RouteId
  /** The time since the last request; absent: there was no request. */
  readonly servedAgeMs?: number | undefined
  /** The telephone that received the request; absent: Plugboard responded by itself. */
  readonly telephone?: string | undefined
  /** The time since a telephone last had a line for the route on this replica; absent: it was not checked. */
  readonly lineAgeMs?: number | undefined
}

export interface ExpiredRoute {
  readonly id: RouteId
  readonly mount: string
  readonly service: string | null
}

/** Use of routes. Only the deletions are part of the change log. */
export interface RouteActivityStore {
  /** Stores that this replica records, and the uses since the last call. Older values never replace newer ones. */
  record(uses: readonly RouteUse[]): Promise<void>
  /** Claimed routes that had no line for as long as their lifetime; at most `limit`. */
  expired(limit: number): Promise<readonly ExpiredRoute[]>
  /** Deletes the routes that are still expired, and services that only they needed. Resolves with the deleted routes. */
  removeExpired(ids: readonly string[], by: Mutation): Promise<readonly ExpiredRoute[]>
}

export interface Claim {
  /** Name of the service. It is created with the default policy when it does not exist. */
  readonly service: string
  /** `host/path`. */
  readonly mount: string
  readonly options?: JsonObject | undefined
  /**
   * The time that the route stays after the last line of its telephones, ms; absent: until a user deletes it. An existing
   * route keeps the longer of two lifetimes. It loses its lifetime when a telephone of its holder claims it without one.
   */
  readonly lifetimeMs?: number | undefined
  /** The verified token of the telephone; a service or mount outside of its scope is `forbidden`. */
  readonly token: Scope & {
    readonly reference: TokenReference
    /** The name of the telephone in the token; messages of refused claims use it. */
    readonly subject?: string | undefined
    /** How many routes it may have claimed, unless its row has a limit; one more is `token_claim_limit`. */
    readonly maxClaims: number
  }
}

export interface Claimed {
  readonly service: Service
  readonly route: Route
  /** False when the service and the route existed already. */
  readonly created: boolean
}
