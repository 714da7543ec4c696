// The tables, for drizzle. Rules that a table definition cannot express (terminal mounts, versions, the change log) are in the
// triggers of migrations/0001_rules.sql, so that they apply to every writer, including psql.
//
// Names are compared byte by byte (COLLATE "C"): the order does not depend on the server's locale, and a prefix
// is a range of the index.

import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  customType,
  index,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import type { RouteId, ServiceId, TokenId } from '../common/ids/row-ids.ts'
import type { JsonObject } from '../common/json.ts'
import type { ChangeAction, ChangeEntity } from './store/store.ts'

/** A separate schema, so that Plugboard can share a database with an application. */
export const plugboard = pgSchema('plugboard')

const name = customType<{ data: string }>({ dataType: () => 'text COLLATE "C"' })
/** A time in milliseconds, the precision of Date, so that a value read before equals the stored value. */
const instant = (column: string) => timestamp(column, { withTimezone: true, precision: 3 })

const rowColumns = {
  version: integer('version').notNull().default(1),
  createdAt: instant('created_at').notNull().defaultNow(),
  updatedAt: instant('updated_at').notNull().defaultNow(),
}

export const services = plugboard.table(
  'services',
  {
    id: uuid('id').$type<ServiceId>().primaryKey().defaultRandom(),
    name: name('name').notNull(),
    policy: jsonb('policy').$type<JsonObject>().notNull().default({}),
    ...rowColumns,
    deletedAt: instant('deleted_at'),
    /** True when a claim with a lifetime created the service. It is deleted with its last route. */
    ephemeral: boolean('ephemeral').notNull().default(false),
  },
  table => [
    uniqueIndex('services_name_living').on(table.name).where(sql`deleted_at IS NULL`),
    index('services_name').on(table.name, table.id),
    check('services_name_form', sql`name ~ '^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$'`),
    check(
      'services_name_not_reserved',
      sql`deleted_at IS NOT NULL OR name NOT IN ('plugboard.functions', 'plugboard.placement', 'plugboard.events')`,
    ),
    check('services_name_not_id', sql`name !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'`),
    check('services_policy_object', sql`jsonb_typeof(policy) = 'object'`),
  ],
)

export const routes = plugboard.table(
  'routes',
  {
    id: uuid('id').$type<RouteId>().primaryKey().defaultRandom(),
    host: name('host').notNull(),
    mountPath: name('mount_path').notNull(),
    /** Null: the route responds by itself. */
    serviceId: uuid('service_id')
      .$type<ServiceId>()
      .references(() => services.id),
    options: jsonb('options').$type<JsonObject>().notNull().default({}),
    /** Holder of the token whose telephone claimed the mount (token-reference.ts). No foreign key: outside issuers have no rows. */
    claimedBy: text('claimed_by'),
    ...rowColumns,
    deletedAt: instant('deleted_at'),
    /** How long a claimed route outlives the last line of its telephones; null: until a user deletes it. */
    lifetimeMs: bigint('lifetime_ms', { mode: 'number' }),
  },
  // No index has updated_at, so that a change of the options needs no new index entries (migrations/0016_bundle_speed.sql).
  table => [
    uniqueIndex('routes_mount_living').on(table.host, table.mountPath).where(sql`deleted_at IS NULL`),
    index('routes_mount').on(table.host, table.mountPath, table.id),
    index('routes_service_living').on(table.serviceId).where(sql`deleted_at IS NULL`),
    index('routes_created_living').on(table.createdAt, table.id).where(sql`deleted_at IS NULL`),
    index('routes_lifetime_living').on(table.id).where(sql`deleted_at IS NULL AND lifetime_ms IS NOT NULL`),
    index('routes_claimed_living')
      .on(table.claimedBy)
      .where(sql`deleted_at IS NULL AND claimed_by IS NOT NULL`),
    check(
      'routes_host_form',
      sql`(length(host) <= 63 AND host ~ '^[a-z0-9]+([.-][a-z0-9]+)*$')
        OR (length(host) <= 253 AND (host = '*'
        OR host ~ '^(\\*\\.)?[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$'
        OR host ~ '^\\[[0-9a-f:.]{2,45}\\]$'))`,
    ),
    check(
      'routes_mount_path_form',
      sql`mount_path = '/' OR (length(mount_path) <= 1024
        AND (mount_path ~ '^(/[A-Za-z0-9_-]+)+$'
        OR (mount_path ~ '^(/([A-Za-z0-9._~!$&''()*+,\\u003b=:@-]|%[0-9A-F]{2})+)+$'
        AND mount_path !~ '%(2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE]|00)'
        AND mount_path !~ '/\\.{1,2}(/|$)')))`,
    ),
    check('routes_mount_path_reserved', sql`NOT starts_with(mount_path || '/', '/_plugboard/')`),
    check('routes_lifetime_positive', sql`lifetime_ms > 0`),
    check('routes_options_object', sql`jsonb_typeof(options) = 'object'`),
    check(
      'routes_service_or_response',
      sql`service_id IS NOT NULL OR options ? 'redirect' OR options ? 'respond'`,
    ),
    check('routes_options_renamed', sql`NOT options ? 'answer'`),
  ],
)

export const tokens = plugboard.table(
  'tokens',
  {
    id: uuid('id').$type<TokenId>().primaryKey().defaultRandom(),
    name: text('name').notNull(),
    services: text('services').array().notNull(),
    mounts: text('mounts').array().notNull(),
    ttlSeconds: integer('ttl_seconds').notNull(),
    /** Limits; null: the default of the settings. */
    maxTunnels: integer('max_tunnels'),
    maxClaims: integer('max_claims'),
    maxAnnouncementsPerMinute: integer('max_announcements_per_minute'),
    ...rowColumns,
    expiresAt: instant('expires_at').notNull(),
    revokedAt: instant('revoked_at'),
    lastSeenAt: instant('last_seen_at'),
  },
  table => [
    index('tokens_newest').on(table.createdAt, table.id),
    index('tokens_revoked').on(table.expiresAt).where(sql`revoked_at IS NOT NULL`),
    check('tokens_name_length', sql`length(name) BETWEEN 1 AND 255`),
    check('tokens_ttl_positive', sql`ttl_seconds > 0`),
    check('tokens_limits', sql`max_tunnels > 0 AND max_claims >= 0 AND max_announcements_per_minute > 0`),
  ],
)

export const signingKeys = plugboard.table(
  'signing_keys',
  {
    kid: text('kid').primaryKey(),
    algorithm: text('algorithm').$type<'EdDSA'>().notNull().default('EdDSA'),
    publicJwk: jsonb('public_jwk').$type<JsonObject>().notNull(),
    privateJwk: jsonb('private_jwk').$type<JsonObject>().notNull(),
    ...rowColumns,
    retiredAt: instant('retired_at'),
  },
  table => [
    // At most one key signs. When replicas that start together each insert a key, only the first insert succeeds.
    uniqueIndex('signing_keys_current').on(sql`(true)`).where(sql`retired_at IS NULL`),
    index('signing_keys_newest').on(table.createdAt, table.kid),
    check('signing_keys_algorithm', sql`algorithm = 'EdDSA'`),
    check('signing_keys_public', sql`NOT public_jwk ? 'd'`),
  ],
)

export const adminKeys = plugboard.table(
  'admin_keys',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    name: text('name').notNull(),
    prefix: text('prefix').notNull(),
    hash: text('hash').notNull(),
    scopes: text('scopes').array().notNull(),
    ...rowColumns,
    expiresAt: instant('expires_at'),
    revokedAt: instant('revoked_at'),
    lastUsedAt: instant('last_used_at'),
    /** Both columns null: the key may grant and change all services and mounts. */
    limitServices: text('limit_services').array(),
    limitMounts: text('limit_mounts').array(),
  },
  table => [
    uniqueIndex('admin_keys_prefix').on(table.prefix),
    index('admin_keys_newest').on(table.createdAt, table.id),
    check('admin_keys_name_length', sql`length(name) BETWEEN 1 AND 255`),
    check('admin_keys_limits_whole', sql`(limit_services IS NULL) = (limit_mounts IS NULL)`),
    check('admin_keys_limits_not_admin', sql`limit_services IS NULL OR NOT 'admin' = ANY (scopes)`),
  ],
)

export const changes = plugboard.table(
  'changes',
  {
    sequence: bigint('sequence', { mode: 'number' }).primaryKey(),
    id: uuid('id').notNull().defaultRandom(),
    at: instant('at').notNull(),
    actor: text('actor').notNull(),
    entity: text('entity').$type<ChangeEntity>().notNull(),
    entityId: text('entity_id').notNull(),
    action: text('action').$type<ChangeAction>().notNull(),
    before: jsonb('before').$type<JsonObject>(),
    after: jsonb('after').$type<JsonObject>(),
    /** The bundle that made the change. */
    bundle: text('bundle'),
  },
  table => [
    index('changes_entity').on(table.entity, table.entityId, table.sequence),
    index('changes_actor').on(table.actor, table.sequence),
  ],
)

/** Heartbeats. Not a part of the change log, and without references from other tables. */
export const replicas = plugboard.table(
  'replicas',
  {
    id: name('id').primaryKey(),
    boot: name('boot').notNull(),
    startedAt: instant('started_at').notNull(),
    address: text('address').notNull(),
    publicUrl: text('public_url'),
    version: text('version').notNull(),
    state: text('state').$type<'ready' | 'leaving'>().notNull(),
    appliedSequence: bigint('applied_sequence', { mode: 'number' }).notNull(),
    heartbeatAt: instant('heartbeat_at').notNull(),
  },
  () => [
    check('replicas_id_length', sql`length(id) BETWEEN 1 AND 255`),
    check('replicas_state_known', sql`state IN ('ready', 'leaving')`),
  ],
)

/** When each route was last used. Each replica writes it once a minute; no part of the change log. */
export const routeActivity = plugboard.table(
  'route_activity',
  {
    routeId: uuid('route_id')
      .$type<RouteId>()
      .primaryKey()
      .references(() => routes.id, { onDelete: 'cascade' }),
    servedAt: instant('served_at'),
    /** Name of the telephone that received the request; null: Plugboard responded by itself. */
    telephone: text('telephone'),
    /** When a telephone last had a line for the route. Written for routes with a lifetime only. */
    lineAt: instant('line_at'),
  },
  table => [index('route_activity_served').on(table.servedAt, table.routeId)],
)

/** The last request of each service, over all its routes. Written together with the activity of routes. */
export const serviceActivity = plugboard.table('service_activity', {
  serviceId: uuid('service_id')
    .$type<ServiceId>()
    .primaryKey()
    .references(() => services.id, { onDelete: 'cascade' }),
  servedAt: instant('served_at').notNull(),
})

/** The results of creations with an `Idempotency-Key`, for 24 h. Not a part of the change log. */
export const idempotencyKeys = plugboard.table(
  'idempotency_keys',
  {
    /** The admin key of the request. */
    credential: uuid('credential').notNull(),
    /** The value of the header field. */
    key: name('key').notNull(),
    /** SHA-256 of method, path and body, so that another request with the same key is found. */
    fingerprint: text('fingerprint').notNull(),
    /** The path of the created row. */
    location: text('location').notNull(),
    /** The response; null: it had a secret, which is not stored. */
    body: text('body'),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  table => [
    primaryKey({ columns: [table.credential, table.key] }),
    index('idempotency_keys_created').on(table.createdAt),
    check('idempotency_keys_length', sql`length(key) BETWEEN 1 AND 255`),
  ],
)

/** Periods during which at least one replica recorded route activity. They may overlap. */
export const recordingPeriods = plugboard.table(
  'recording_periods',
  {
    startedAt: instant('started_at').notNull(),
    endedAt: instant('ended_at').notNull(),
  },
  table => [
    index('recording_periods_end').on(table.endedAt),
    check('recording_periods_order', sql`started_at <= ended_at`),
  ],
)

/** Leases for work that only one replica does at a time. */
export const leases = plugboard.table('leases', {
  name: name('name').primaryKey(),
  owner: text('owner').notNull(),
  expiresAt: instant('expires_at').notNull(),
})

/** The use of limits with a window of an hour or more. Each replica writes it every 30 s. Not a part of the change log. */
export const limitUsage = plugboard.table(
  'limit_usage',
  {
    /** The keyed hash of the limit and its key. */
    key: bigint('key', { mode: 'number' }).notNull(),
    /** Empty: the limit counts over all replicas. Otherwise the replica that counts. */
    replica: name('replica').notNull(),
    /** When the whole burst is available again. */
    fullAt: instant('full_at').notNull(),
  },
  table => [primaryKey({ columns: [table.key, table.replica] }), index('limit_usage_full').on(table.fullAt)],
)

/**
 * The persons who looked at captured exchanges, and the replays, for the change log. A row is written once and removed after a day;
 * its entry in the log stays.
 */
export const inspections = plugboard.table(
  'inspections',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    actor: text('actor').notNull(),
    serviceId: uuid('service_id').$type<ServiceId>().notNull(),
    /** The name of the service at that time. */
    service: text('service').notNull(),
    kind: text('kind').$type<'read' | 'replay'>().notNull(),
    /** The exchange that is repeated; null: exchanges were read. */
    exchange: text('exchange'),
    /** The hour in which the actor reads exchanges of the service; all reads of this hour have one row. */
    hour: instant('hour').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  table => [
    uniqueIndex('inspections_read').on(table.actor, table.serviceId, table.hour).where(sql`kind = 'read'`),
    index('inspections_created').on(table.createdAt),
    check('inspections_kind_known', sql`kind IN ('read', 'replay')`),
  ],
)

/**
 * The weight or the ejection that operators have set for one telephone process of a service. A row that is not deleted applies to one
 * process, so it ends with the process: replicas delete the rows of processes without a tunnel.
 */
export const processOverrides = plugboard.table(
  'process_overrides',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    serviceId: uuid('service_id')
      .$type<ServiceId>()
      .notNull()
      .references(() => services.id),
    /** The id of the process. Each start of a telephone has a new one. */
    instance: name('instance').notNull(),
    /** The name of the telephone at that time. */
    telephone: text('telephone').notNull(),
    /** Replaces the announced weight; 0: the process gets no new requests; null: the announced weight applies. */
    weight: integer('weight'),
    /** The process gets no requests until then; null: it is not ejected. */
    ejectedUntil: instant('ejected_until'),
    reason: text('reason'),
    /** The name of the admin key that wrote the row last. */
    setBy: text('set_by').notNull(),
    ...rowColumns,
    deletedAt: instant('deleted_at'),
    /** When a replica last had a tunnel of the process. */
    seenAt: instant('seen_at').notNull().defaultNow(),
  },
  table => [
    uniqueIndex('process_overrides_living')
      .on(table.serviceId, table.instance)
      .where(sql`deleted_at IS NULL`),
    index('process_overrides_created').on(table.createdAt, table.id),
    check('process_overrides_weight', sql`weight BETWEEN 0 AND 1000`),
    check('process_overrides_effect', sql`weight IS NOT NULL OR ejected_until IS NOT NULL`),
    check('process_overrides_lengths', sql`length(instance) BETWEEN 1 AND 255 AND length(reason) <= 200`),
  ],
)

/** Accounts with certificate authorities. `key` is sealed when a cluster secret is set. */
export const acmeAccounts = plugboard.table('acme_accounts', {
  directory: text('directory').primaryKey(),
  url: text('url').notNull(),
  key: text('key').notNull(),
  createdAt: instant('created_at').notNull().defaultNow(),
})

/** Certificates from an authority, and the state of hosts whose first order is not finished. Not a part of the change log. */
export const certificates = plugboard.table(
  'certificates',
  {
    host: name('host').primaryKey(),
    chain: text('chain'),
    /** Sealed like the key of an account. */
    key: text('key'),
    notAfter: instant('not_after'),
    renewAt: instant('renew_at'),
    issuedAt: instant('issued_at'),
    failures: integer('failures').notNull().default(0),
    lastError: text('last_error'),
    attemptedAt: instant('attempted_at'),
    nextAttemptAt: instant('next_attempt_at').notNull().defaultNow(),
    /** Holder of the token whose claim was the reason for the last order (token-reference.ts); null: no claim was. */
    claimedBy: text('claimed_by'),
    /** The replica that orders the certificate now. Its right to do so ends at the end of the lease. */
    leaseOwner: text('lease_owner'),
    leaseUntil: instant('lease_until'),
  },
  table => [
    index('certificates_renewal').on(table.renewAt),
    index('certificates_issued').on(table.issuedAt),
    index('certificates_attempted').on(table.attemptedAt),
    check('certificates_whole', sql`(chain IS NULL) = (key IS NULL)`),
  ],
)

/** The responses to the challenges of an authority, which prove the control of a host. */
export const acmeChallenges = plugboard.table(
  'acme_challenges',
  {
    /** `http <token>` or `tls <host>`. */
    name: name('name').primaryKey(),
    value: text('value').notNull(),
    expiresAt: instant('expires_at').notNull(),
  },
  () => [check('acme_challenges_name_form', sql`name ~ '^(http|tls) '`)],
)

/** One row for each migration from 0010 on: the oldest version that may run on a schema with it. No part of the change log. */
export const compatibility = plugboard.table(
  'compatibility',
  {
    /** `when` of the journal; `created_at` of plugboard.migrations. */
    migration: bigint('migration', { mode: 'number' }).primaryKey(),
    name: text('name').notNull(),
    oldestVersion: text('oldest_version').notNull(),
  },
  () => [check('compatibility_version_form', sql`oldest_version ~ '^[0-9]{1,6}[.][0-9]{1,6}[.][0-9]{1,6}$'`)],
)

/**
 * One row: the newest sequence and the id of its change. Each writer locks the row first and holds the lock until it commits.
 * So sequences have no gaps, and checks of other rows are safe in each isolation level.
 */
export const changeHead = plugboard.table(
  'change_head',
  {
    singleton: boolean('singleton').primaryKey().default(true),
    sequence: bigint('sequence', { mode: 'number' }).notNull(),
    changeId: uuid('change_id'),
  },
  () => [check('change_head_one_row', sql`singleton`)],
)
