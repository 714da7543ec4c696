// The interface of the database for the rest of Plugboard, as plain types: rows, pages, mutations. The admin API, the tunnel
// endpoint and the command line use `Store`. The modules beside this file implement it with drizzle, and only the folder
// database/ uses SQL, drizzle and pg. Each promise of this interface rejects with a VeraError:
// `not_found`, `conflict`, `mount_conflict`, `invalid_request`, `precondition_failed`, `database_unavailable`.

import type { RouteId, ServiceId, TokenId } from '../../common/ids/row-ids.ts'
import type { JsonObject } from '../../common/json.ts'
import type { ReplicaRecords } from '../../common/replica-record.ts'
import type { BundleCopyRequest, BundleWrite, BundleWritten } from './bundle/bundle-rows.ts'
import type { LogContinuation, ReadPosition } from './changes/log-gap.ts'
import type { TokenReference } from './values/token-reference.ts'

/** The author of a change and, for If-Match, the version that they have read; another version is `precondition_failed`. */
export interface Mutation {
  /** For the audit log: `admin-key:<id>`, `token:<holder>` (token-reference.ts), `cli`, `system`. 1-255 characters. */
  readonly actor: string
  /** Id of the admin key of the request. A key that is revoked or expired at the time of the change is `unauthorized`. */
  readonly keyId?: string | undefined
  readonly ifVersion?: number | undefined
  /** True to check the change in a transaction that is rolled back. The result is as if the change had been made. */
  readonly dryRun?: boolean | undefined
  /** For a creation by an admin key: a repetition has no effect, and rejects with RepeatedRequest (idempotency.ts). */
  readonly idempotency?: IdempotentCreation | undefined
}

export interface IdempotentCreation {
  /** The key of the client, unique for its credential. */
  readonly key: string
  /** The same for each repetition of the request, and another one for each other request. */
  readonly fingerprint: string
  /** Returns the path of the created row, and the response to it. `body` null: it has a secret, which must not be stored. */
  readonly result: (row: never) => { readonly location: string; readonly body: string | null }
}

export interface PageRequest {
  /** 1-500, default 100. */
  readonly limit?: number | undefined
  /** `nextCursor` of the page before; opaque. A malformed cursor is `invalid_request`, field `cursor`. */
  readonly cursor?: string | undefined
}

/** The name of an order of rows; with `-`, the opposite direction. */
export type Sort<Name extends string> = Name | `-${Name}`

/** Rows in a fixed order; rows inserted meanwhile never make a later page repeat or skip an older row. */
export interface Page<Row> {
  readonly items: readonly Row[]
  readonly nextCursor: string | undefined
}

export interface Service {
  readonly id: ServiceId
  /** Unique among the services that are not deleted. */
  readonly name: string
  /** The policy as stored. routes/options/service-policy.ts defines its keys and adds the defaults. */
  readonly policy: JsonObject
  /** 1 at the creation, +1 with each change; the ETag. */
  readonly version: number
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly deletedAt: Date | null
  /** True when a claim with a lifetime created it: it is deleted with its last route. */
  readonly ephemeral: boolean
}

export interface ServiceFilters {
  /** The name contains this text. */
  readonly q?: string | undefined
  readonly includeDeleted?: boolean | undefined
}
export const SERVICE_SORTS = ['name', 'createdAt', 'updatedAt'] as const
export type ServiceSort = Sort<(typeof SERVICE_SORTS)[number]>

export interface ServiceStore {
  create(
    input: { readonly name: string; readonly policy?: JsonObject | undefined },
    by: Mutation,
  ): Promise<Service>
  /** A living service by name, or any by id. */
  find(nameOrId: string): Promise<Service | undefined>
  get(nameOrId: string): Promise<Service>
  list(
    request?: PageRequest & ServiceFilters & { readonly sort?: ServiceSort | undefined },
  ): Promise<Page<Service>>
  /** The number of all rows that fit. */
  count(filters: ServiceFilters): Promise<number>
  /** The last requests of these services; one without a request is absent. */
  lastRequests(ids: readonly ServiceId[]): Promise<ReadonlyMap<ServiceId, Date>>
  /**
   * `policy` replaces the whole policy. `keepsOldName`: false leaves the aliases as they are when the name changes; by
   * default the old name becomes one. `conflict` when another service has the name or an alias.
   */
  update(
    nameOrId: string,
    patch: {
      readonly name?: string | undefined
      readonly policy?: JsonObject | undefined
      readonly keepsOldName?: boolean | undefined
    },
    by: Mutation,
  ): Promise<Service>
  /** Soft. A service with living routes is `conflict`, its detail names one of them. */
  remove(nameOrId: string, by: Mutation): Promise<Service>
  /** A living service by name, else the one of this name that was deleted last; any by id. */
  getLast(nameOrId: string): Promise<Service>
  /** Makes a deleted service live again. `conflict` when it is not deleted, or another service has one of its names. */
  restore(id: ServiceId, by: Mutation): Promise<Service>
}

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

/** What operators have set for one telephone process of a service. */
export interface ProcessOverride {
  readonly id: string
  readonly serviceId: ServiceId
  /** The id of the process. Each start of a telephone has a new one. */
  readonly instance: string
  /** The name of the telephone at that time. */
  readonly telephone: string
  /** Replaces the announced weight, 0-1000; 0: no new requests. Null: the announced weight applies. */
  readonly weight: number | null
  /** The process gets no requests until then; null: it is not ejected. */
  readonly ejectedUntil: Date | null
  readonly reason: string | null
  /** The name of the admin key that wrote the row last. */
  readonly setBy: string
  readonly version: number
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly deletedAt: Date | null
}

/** The values that an operator sets. `undefined` keeps the value of the row. */
export interface OverrideValues {
  readonly weight?: number | null | undefined
  /** From now, by the clock of the database; null: ends the ejection. */
  readonly ejectMs?: number | null | undefined
  readonly reason?: string | null | undefined
  readonly setBy: string
  /**
   * The other processes of the service that take requests, by their ids. When each of them has an override that stops its requests,
   * the write rejects with `conflict`. Undefined: no check, because the values do not stop requests, or the operator insists.
   */
  readonly others?: readonly string[] | undefined
}

export interface OverrideFilters {
  readonly serviceId?: ServiceId | undefined
  readonly includeDeleted?: boolean | undefined
}

export interface ProcessOverrideStore {
  /** `conflict` when the process has an override already. */
  create(
    input: OverrideValues & Pick<ProcessOverride, 'serviceId' | 'instance' | 'telephone'>,
    by: Mutation,
  ): Promise<ProcessOverride>
  get(id: string): Promise<ProcessOverride>
  /** Oldest first. */
  list(request?: PageRequest & OverrideFilters): Promise<Page<ProcessOverride>>
  count(filters: OverrideFilters): Promise<number>
  update(id: string, values: OverrideValues, by: Mutation): Promise<ProcessOverride>
  /** Soft. */
  remove(id: string, by: Mutation): Promise<ProcessOverride>
  /** Stores that this replica has a tunnel of these processes now. Not a change. */
  seen(ids: readonly string[]): Promise<void>
  /**
   * Deletes the overrides of processes that no replica has seen for this time, and those whose ejection is over and that have no
   * weight. Removes rows that were deleted long ago. Resolves with the number of deleted rows.
   */
  prune(unseenMs: number): Promise<number>
}

/** Leases for work that only one replica does at a time, by the clock of the database. */
export interface LeaseStore {
  /** True when the owner has the lease for `leaseMs` from now. */
  take(name: string, owner: string, leaseMs: number): Promise<boolean>
  /** No effect when another owner has it. */
  release(name: string, owner: string): Promise<void>
}

/** The use of one key of a limit with a window of an hour or more. */
export interface LimitUsage {
  /** The keyed hash, an integer from 0 to 2^53 - 1. */
  readonly key: number
  /** True when the limit counts over all replicas. */
  readonly isShared: boolean
  /** Time until the whole burst is available, ms. */
  readonly aheadMs: number
}

/** Use of limits, by the clock of the database. Not a part of the change log. */
export interface LimitUsageStore {
  /** Of the stored and the written use of a key, the one that is restored later stays. So two replicas never count it twice. */
  write(replica: string, usages: readonly LimitUsage[]): Promise<void>
  /** Resolves with the use of shared limits, and of those of this replica: at most `limit` keys, the last to be restored first. */
  read(replica: string, limit: number): Promise<readonly LimitUsage[]>
  /** Deletes rows of keys whose whole burst is available, at most a few thousand. Resolves with their number. */
  prune(): Promise<number>
}

/** The rights of a telephone's token. An empty list grants no rights; patterns as in shared/mounts.ts. */
export interface Scope {
  readonly services: readonly string[]
  readonly mounts: readonly string[]
}

/** Limits of a token; null: the default of the replicas' settings. */
export interface StoredLimits {
  /** Tunnels open at once, over all replicas. */
  readonly maxTunnels: number | null
  /** Living routes that its telephones have claimed. */
  readonly maxClaims: number | null
  /** Announcements and renewals, on one replica. */
  readonly maxAnnouncementsPerMinute: number | null
}

export interface Token extends Scope, StoredLimits {
  /** `jti` of the JWT. */
  readonly id: TokenId
  /** `sub` of the JWT. */
  readonly name: string
  readonly ttlSeconds: number
  readonly version: number
  readonly createdAt: Date
  /** Of the newest JWT issued under this id. */
  readonly expiresAt: Date
  readonly revokedAt: Date | null
  readonly lastSeenAt: Date | null
}

export interface CredentialFilters {
  /** The name contains this text. */
  readonly q?: string | undefined
  /** True: only those neither revoked nor expired. */
  readonly active?: boolean | undefined
}
export const CREDENTIAL_SORTS = ['createdAt'] as const
export type CredentialSort = Sort<(typeof CREDENTIAL_SORTS)[number]>

/** The tokens that we have issued. An id is the `jti` of one of them, never that of an outside issuer's token. */
export interface TokenStore {
  create(
    input: Scope &
      Partial<StoredLimits> & {
        readonly id?: TokenId | undefined
        readonly name: string
        readonly ttlSeconds: number
      },
    by: Mutation,
  ): Promise<Token>
  /** How many living routes each of these tokens has claimed; one without any is absent. */
  claimCounts(ids: readonly TokenId[]): Promise<ReadonlyMap<TokenId, number>>
  find(id: TokenId): Promise<Token | undefined>
  get(id: TokenId): Promise<Token>
  /** Newest first. */
  list(
    request?: PageRequest & CredentialFilters & { readonly sort?: CredentialSort | undefined },
  ): Promise<Page<Token>>
  /** The number of all rows that fit. */
  count(filters: CredentialFilters): Promise<number>
  /** Moves `expiresAt` to now + ttlSeconds: `token_revoked` or `token_expired` when it is too late. Not a change. */
  renew(id: TokenId): Promise<Token>
  /** Idempotent. The directories of all replicas receive the revocation through the change log. */
  revoke(id: TokenId, by: Mutation): Promise<Token>
  /** Stores that a telephone has used the token now. Not a change. */
  touch(id: TokenId): Promise<void>
}

export interface SigningKey {
  readonly kid: string
  readonly algorithm: 'EdDSA'
  readonly publicJwk: JsonObject
  readonly createdAt: Date
  /** From this time on the key only verifies, until it is removed; null: it signs. */
  readonly retiredAt: Date | null
}

export interface PrivateSigningKey extends SigningKey {
  readonly privateJwk: JsonObject
}

export interface NewSigningKey {
  readonly kid: string
  readonly publicJwk: JsonObject
  readonly privateJwk: JsonObject
}

export interface SigningKeyStore {
  /** Newest first, retired ones too. */
  list(): Promise<readonly SigningKey[]>
  /** Resolves with the current key, and creates it when it is missing. Concurrent replicas get the same key. */
  ensure(generate: () => Promise<NewSigningKey>, by: Mutation): Promise<PrivateSigningKey>
  /** Stores a new current key and retires the ones before. */
  rotate(key: NewSigningKey, by: Mutation): Promise<PrivateSigningKey>
  /** From now on, tokens that it signed verify nowhere. */
  remove(kid: string, by: Mutation): Promise<void>
}

export interface AdminKey {
  readonly id: string
  readonly name: string
  /** The first characters of the key. They identify the row for queries and the key for people. Unique. */
  readonly prefix: string
  readonly scopes: readonly string[]
  /** The services and mounts that the key may grant and change; patterns as in a token's scope. Null: all. */
  readonly limits: Scope | null
  readonly version: number
  readonly createdAt: Date
  readonly expiresAt: Date | null
  readonly revokedAt: Date | null
  readonly lastUsedAt: Date | null
}

export interface NewAdminKey {
  readonly name: string
  readonly prefix: string
  /** The hash of the whole key. The key itself is never stored. */
  readonly hash: string
  readonly scopes: readonly string[]
  /** Not for a key with the scope `admin`. */
  readonly limits?: Scope | null | undefined
  readonly expiresAt?: Date | null | undefined
}

export interface AdminKeyStore {
  create(input: NewAdminKey, by: Mutation): Promise<AdminKey>
  /** True when the database has, or had, an admin key; revoked and expired keys count. */
  everExisted(): Promise<boolean>
  /** Stores a key only when `everExisted` is false; else undefined. Of several replicas at once, one stores its key. */
  createFirst(input: NewAdminKey, by: Mutation): Promise<AdminKey | undefined>
  /** Keys with the scope `admin` that are neither revoked nor expired. */
  countActiveAdmins(): Promise<number>
  /** Stores a key. `revokeOthers`: revokes all other keys with the scope `admin` in the same transaction. */
  reset(input: NewAdminKey, by: Mutation, options: { readonly revokeOthers: boolean }): Promise<AdminKey>
  get(id: string): Promise<AdminKey>
  /** For the check of a credential. Revoked and expired keys are found too. */
  findByPrefix(prefix: string): Promise<(AdminKey & { readonly hash: string }) | undefined>
  /** Hashes of all keys that are neither revoked nor expired, by prefix. */
  activeHashes(): Promise<ReadonlyMap<string, string>>
  /** Newest first. */
  list(
    request?: PageRequest & CredentialFilters & { readonly sort?: CredentialSort | undefined },
  ): Promise<Page<AdminKey>>
  /** The number of all rows that fit. */
  count(filters: CredentialFilters): Promise<number>
  /** Idempotent. Without `force`, the last active key with the scope `admin` is `conflict`. */
  revoke(id: string, by: Mutation, options?: { readonly force?: boolean | undefined }): Promise<AdminKey>
  /** Stores that the key was used now. Not a change. */
  touch(id: string): Promise<void>
}

export const CHANGE_ENTITIES = [
  'service',
  'route',
  'token',
  'signing_key',
  'admin_key',
  'inspection',
  'process_override',
] as const
export type ChangeEntity = (typeof CHANGE_ENTITIES)[number]
export const CHANGE_ACTIONS = [
  'created',
  'updated',
  'deleted',
  'restored',
  'revoked',
  'retired',
  'purged',
] as const
export type ChangeAction = (typeof CHANGE_ACTIONS)[number]

/** One entry of the audit log. Sequences have no gap and commit in order. */
export interface Change {
  readonly sequence: number
  /** Random. It distinguishes an entry of a restored database from an earlier entry with the same sequence. */
  readonly id: string
  readonly at: Date
  readonly actor: string
  readonly entity: ChangeEntity
  readonly entityId: string
  readonly action: ChangeAction
  /** The row as it was and as it is, in camelCase, without secrets. */
  readonly before: JsonObject | null
  readonly after: JsonObject | null
  /** Id of the bundle that made the change together with others; null: a single write. */
  readonly bundle: string | null
}

/** A change with the names of the services that its ids stand for. */
export interface NamedChange extends Change {
  /** The current name of the service in `before` and in `after` of a route; null without a service. */
  readonly serviceBefore: string | null
  readonly serviceAfter: string | null
}

/** Filters of the log. A change must fit each of them, except that `routeId` and `serviceId` together accept both rows. */
export interface ChangeFilters {
  /** Rows of one of these kinds. */
  readonly entities?: readonly ChangeEntity[] | undefined
  readonly entityId?: string | undefined
  readonly actor?: string | undefined
  readonly action?: ChangeAction | undefined
  readonly routeId?: RouteId | undefined
  readonly serviceId?: ServiceId | undefined
}

/** The rows of one change that an undo concerns, for the check of the caller's rights. */
export interface UndoneRow {
  readonly entity: 'route' | 'service' | 'process_override'
  /** The mounts of the row before and after the undo. */
  readonly mounts: readonly string[]
  /** The names of the service before and after the undo, and its aliases. Of an override: the name of its service. */
  readonly services: readonly string[]
}

export interface UndoRequest {
  readonly sequence: number
  /** Undoes the changes from `through` back to `sequence`; absent: only `sequence`. */
  readonly through?: number | 'latest' | undefined
  /** Throws when the caller may not change the row. */
  readonly permit: (row: UndoneRow) => void
}

export interface Undone {
  /** The new changes, oldest first. */
  readonly changes: readonly NamedChange[]
  /** Changes of the range that are final. */
  readonly skipped: readonly { readonly sequence: number; readonly reason: string }[]
}

export interface ChangeStore {
  /**
   * Newest first; with `after`, oldest first. `after` and `before`: sequences that are not included. Rejects with
   * `precondition_failed` when the log does not have all changes after `after`; 0 means the oldest change of the log.
   */
  list(
    request?: PageRequest &
      ChangeFilters & { readonly after?: number | undefined; readonly before?: number | undefined },
  ): Promise<Page<NamedChange>>
  /** Oldest first, `sequence` > `after`; at most 1,000. */
  after(sequence: number, limit?: number, filters?: ChangeFilters): Promise<readonly NamedChange[]>
  /** Resolves with the newest change, and whether the log continues from the position. */
  continuation(position: ReadPosition): Promise<LogContinuation>
  /** Sequence of the newest change; 0 without changes. */
  latest(): Promise<number>
  /**
   * Writes the rows as they were before the changes, as new changes of one transaction. ChangedRowError when a row has changed
   * since; `conflict` for a change that is final.
   */
  undo(request: UndoRequest, by: Mutation): Promise<Undone>
  /** Deletes all but the newest `keep` (≥ 1) changes. Resolves with the number of deleted changes. */
  prune(keep: number): Promise<number>
}

export interface BundleStore {
  /**
   * Reads all rows of one moment in batches. Resolves with the sequence of that moment. Rejects with `precondition_failed` when
   * the log no longer has all changes after `since`.
   */
  copy(request: BundleCopyRequest): Promise<number>
  /**
   * Applies the differences in one transaction. `bundle`: its id in the change log. Rejects with `precondition_failed` when a
   * changed or deleted row has another version now, and with the errors of single writes. In each case, no row changes.
   */
  write(differences: BundleWrite, bundle: string, by: Mutation): Promise<BundleWritten>
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

/** A certificate of an authority. `chain`: PEM; `sealedKey`: as tls/key-seal.ts made it. */
export interface StoredCertificate {
  readonly host: string
  readonly chain: string
  readonly sealedKey: string
  readonly notAfter: Date
  readonly renewAt: Date
  readonly issuedAt: Date
}

/**
 * The decision about an order. `busy`: another replica has the order, or too many orders run. `waiting`: the last order failed
 * a short time ago, or the host is not due. `token_rate_limited`: the token that claimed the host has used up its orders.
 */
export type OrderDecision = 'granted' | 'busy' | 'waiting' | 'rate_limited' | 'token_rate_limited'

export interface SealedKey {
  readonly kind: 'certificate' | 'account'
  /** The host, or the URL of the directory. */
  readonly name: string
  readonly sealedKey: string
}

/** The state of the order of a host. `renewAt`: null before the first certificate. */
export interface CertificateOrder {
  readonly host: string
  readonly notAfter: Date | null
  readonly renewAt: Date | null
  /** Null: the last order succeeded, or there was none. */
  readonly lastError: string | null
  readonly nextAttemptAt: Date
}

export interface CertificateStore {
  find(host: string): Promise<StoredCertificate | undefined>
  /** Hosts whose certificate was issued after this; by the database's clock. */
  issuedAfter(at: Date): Promise<readonly { readonly host: string; readonly issuedAt: Date }[]>
  /** Resolves with hosts whose certificate is due and has no order in progress. Deletes rows that expired long ago. */
  due(limit: number): Promise<readonly string[]>
  /** Requests the lease of an order, for at most `leaseMs`. `failures`: the number of consecutive failed attempts. */
  begin(request: {
    readonly host: string
    readonly owner: string
    readonly leaseMs: number
    /** Across replicas. */
    readonly atOnce: number
    readonly perHour: number
    /**
     * For a host whose first living route was claimed by a telephone: how many orders its token may begin in an hour. The
     * token also gets at most half of `atOnce`. Undefined: the host does not count for a token.
     */
    readonly perToken: number | undefined
    /** True when the stored certificate cannot be used, so that an order may begin before it is due. */
    readonly unusable: boolean
  }): Promise<{ readonly decision: OrderDecision; readonly failures: number }>
  succeed(certificate: Omit<StoredCertificate, 'issuedAt'>, owner: string): Promise<void>
  fail(host: string, owner: string, error: string, retryMs: number): Promise<void>
  /** Releases the lease. The attempt does not count. */
  release(host: string, owner: string): Promise<void>
  /** Resolves with the state of the orders: failed ones first, then by the time of the renewal. */
  orders(limit: number): Promise<readonly CertificateOrder[]>
  account(directory: string): Promise<{ readonly url: string; readonly sealedKey: string } | undefined>
  /** Stores the account if there is no account yet. Resolves with the stored account. */
  saveAccount(
    directory: string,
    account: { readonly url: string; readonly sealedKey: string },
    replaces?: string,
  ): Promise<{ readonly url: string; readonly sealedKey: string }>
  /** Resolves with the stored private keys of all certificates and accounts. `name`: the name that each key is sealed with. */
  sealedKeys(): Promise<readonly SealedKey[]>
  /** Resolves with false when the stored key is no longer `before`. */
  replaceKey(kind: SealedKey['kind'], name: string, before: string, after: string): Promise<boolean>
  /** `kind` `http`: by token; `tls`: by host. */
  publishChallenge(kind: 'http' | 'tls', name: string, value: string, forMs: number): Promise<void>
  challenge(kind: 'http' | 'tls', name: string): Promise<string | undefined>
  /** Deletes the challenge, and all expired challenges. */
  dropChallenge(kind: 'http' | 'tls', name: string): Promise<void>
}

/** Entries of the change log about persons who look at captured exchanges. */
export interface InspectionStore {
  /**
   * Records that the actor reads exchanges of the service, once in an hour. Resolves with the rest of this hour, ms. Both are by the
   * clock of the database.
   */
  recordRead(service: InspectedService, by: Mutation): Promise<number>
  /** Records that the actor repeats an exchange. */
  recordReplay(service: InspectedService, exchange: string, by: Mutation): Promise<void>
}

export interface InspectedService {
  readonly id: ServiceId
  readonly name: string
}

export interface Store {
  readonly certificates: CertificateStore
  readonly replicas: ReplicaRecords
  readonly routeActivity: RouteActivityStore
  readonly leases: LeaseStore
  readonly limitUsage: LimitUsageStore
  readonly services: ServiceStore
  readonly routes: RouteStore
  readonly tokens: TokenStore
  readonly signingKeys: SigningKeyStore
  readonly adminKeys: AdminKeyStore
  readonly changes: ChangeStore
  readonly bundles: BundleStore
  readonly inspections: InspectionStore
  readonly processOverrides: ProcessOverrideStore
  /** Idempotent, because a telephone claims its mounts at each connection. A mount of another service is `mount_conflict`. */
  claimMount(claim: Claim): Promise<Claimed>
}
