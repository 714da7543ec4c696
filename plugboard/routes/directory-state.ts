// The content of the directory. A snapshot of the database or of the file fills it, and changes edit it. All edits are O(1) in the
// size of the table. It uses no connections and no files.

import { formatMount, normalizeEscapes } from '@vera-stack/shared/mounts.ts'
import { z } from 'zod'
import { asRouteId, asServiceId, type RouteId, type ServiceId, type TokenId } from '../common/ids/row-ids.ts'
import { isJsonObject, type JsonObject } from '../common/json.ts'
import type {
  LogPosition,
  SnapshotKey,
  SnapshotOverride,
  SnapshotRevocation,
  SnapshotRoute,
  SnapshotService,
  SnapshotSink,
} from '../database/changes/change-feed.ts'
import type { Change } from '../database/store/store.ts'
import {
  type DirectoryRoute,
  type DirectoryService,
  type Emit,
  NO_SERVICE,
  type VerificationKey,
} from './directory-entries.ts'
import { resolveRouteOptions } from './options/route-options.ts'
import { resolveServicePolicy } from './options/service-policy.ts'
import { OverrideTable } from './override-table.ts'
import { RouteActivity } from './route-activity.ts'
import { RouteTable } from './route-table.ts'
import { routeIdSchema, serviceIdSchema, tokenIdSchema } from './row-id-schemas.ts'

type Writable<Row> = { -readonly [Key in keyof Row]: Row[Key] }

/** Time for which an expired revoked token is kept, because the clocks of replicas may differ, ms. */
const REVOCATION_KEPT_MS = 3_600_000

const json = z.custom<JsonObject>(isJsonObject)
const date = z.coerce.date()
/** The fields of changed rows that the directory uses. */
const serviceRow = z.object({
  id: serviceIdSchema,
  name: z.string(),
  policy: json,
  deletedAt: z.string().nullable(),
})
const routeRow = z.object({
  id: routeIdSchema,
  host: z.string(),
  mountPath: z.string(),
  serviceId: serviceIdSchema.nullable(),
  options: json,
  // Absent in entries of an older version.
  lifetimeMs: z.number().nullable().default(null),
  updatedAt: z.string(),
  deletedAt: z.string().nullable(),
})
const keyRow = z.object({ kid: z.string(), publicJwk: json })
const overrideRow = z.object({
  id: z.string(),
  serviceId: serviceIdSchema,
  instance: z.string(),
  weight: z.number().nullable(),
  ejectedUntil: z.string().nullable(),
  reason: z.string().nullable(),
  setBy: z.string(),
  version: z.number(),
  deletedAt: z.string().nullable(),
})
const tokenRow = z.object({ id: tokenIdSchema, expiresAt: date, revokedAt: z.string().nullable() })

const silent: Emit = () => undefined

/** Called for rows with invalid values. */
export interface RowProblems {
  /** A policy has invalid values. Defaults apply. */
  policy(service: string, problems: readonly string[]): void
  /** The rules of a route are invalid. The route is closed. */
  rules(mount: string, problems: readonly string[]): void
}

export class DirectoryState implements SnapshotSink {
  readonly table = new RouteTable<DirectoryRoute>()
  readonly routes = new Map<RouteId, DirectoryRoute>()
  readonly services = new Map<ServiceId, Writable<DirectoryService>>()
  readonly servicesByName = new Map<string, DirectoryService>()
  /** A name takes precedence over an alias. Writers ensure that two services never have the same name or alias. */
  readonly servicesByAlias = new Map<string, DirectoryService>()
  readonly routesByService = new Map<ServiceId, Set<DirectoryRoute>>()
  readonly keys = new Map<string, VerificationKey>()
  /** Token id → when the token expires, ms since 1970. */
  readonly revocations = new Map<TokenId, number>()
  readonly overrides = new OverrideTable()
  position: LogPosition = { sequence: 0, changeId: null }
  readonly #problems: RowProblems
  readonly #activityOf: (routeId: RouteId) => RouteActivity | undefined

  /** `activityOf` returns the activity of a route in the state that serves now. This state shares it. */
  constructor(problems: RowProblems, activityOf: (routeId: RouteId) => RouteActivity | undefined) {
    this.#problems = problems
    this.#activityOf = activityOf
  }

  service(row: SnapshotService): void {
    this.#setService(row, silent)
  }

  route(row: SnapshotRoute): void {
    this.#setRoute(row, silent)
  }

  key(row: SnapshotKey): void {
    this.keys.set(row.kid, { ...row, algorithm: 'EdDSA' })
  }

  revocation(row: SnapshotRevocation): void {
    this.revocations.set(row.id, row.expiresAt.getTime())
  }

  override(row: SnapshotOverride): void {
    this.overrides.set(row)
  }

  /** Applies a change; call it in the order of the log. Throws when the change does not fit and a new snapshot is needed. */
  apply(change: Change, emit: Emit): void {
    switch (change.entity) {
      case 'service': {
        const row = change.after === null ? undefined : serviceRow.parse(change.after)
        if (row === undefined || row.deletedAt !== null)
          this.#deleteService(asServiceId(change.entityId), emit)
        else this.#setService(row, emit)
        break
      }
      case 'route': {
        const row = change.after === null ? undefined : routeRow.parse(change.after)
        if (row === undefined || row.deletedAt !== null) this.#deleteRoute(asRouteId(change.entityId), emit)
        else this.#setRoute({ ...row, updatedAtMs: Date.parse(row.updatedAt) }, emit)
        break
      }
      case 'signing_key':
        if (change.after === null) this.keys.delete(change.entityId)
        else this.key(keyRow.parse(change.after))
        emit(listener => listener.keysChanged?.())
        break
      case 'process_override':
        this.#applyOverride(change, emit)
        break
      case 'token':
        this.#applyToken(change, emit)
        break
      default:
        // Ignores admin keys and entities of a newer version, because the directory does not hold them.
        break
    }
    this.position = { sequence: change.sequence, changeId: change.id }
  }

  /** Removes revoked tokens that have expired, because their expiry is enough to refuse them. */
  forgetExpired(wallTimeMs: number): void {
    for (const [id, expiresAtMs] of this.revocations) {
      if (expiresAtMs + REVOCATION_KEPT_MS < wallTimeMs) this.revocations.delete(id)
    }
  }

  #setService(row: SnapshotService, emit: Emit): void {
    const { policy, problems } = resolveServicePolicy(row.policy)
    if (problems.length > 0) this.#problems.policy(row.name, problems)
    const known = this.services.get(row.id)
    const before = known === undefined ? undefined : { ...known }
    const service = known ?? {
      id: row.id,
      name: row.name,
      policy,
      meters: undefined,
      unmetered: undefined,
    }
    if (before !== undefined && this.servicesByName.get(before.name) === known) {
      this.servicesByName.delete(before.name)
    }
    this.#forgetAliases(service)
    service.name = row.name
    service.policy = policy
    for (const alias of policy.aliases) this.servicesByAlias.set(alias, service)
    this.services.set(row.id, service)
    this.servicesByName.set(row.name, service)
    emit(listener => listener.serviceChanged?.(before, service))
  }

  #deleteService(id: ServiceId, emit: Emit): void {
    const service = this.services.get(id)
    if (service === undefined) return
    this.services.delete(id)
    this.#forgetAliases(service)
    if (this.servicesByName.get(service.name) === service) this.servicesByName.delete(service.name)
    emit(listener => listener.serviceChanged?.(service, undefined))
  }

  #forgetAliases(service: DirectoryService): void {
    for (const alias of service.policy.aliases) {
      if (this.servicesByAlias.get(alias) === service) this.servicesByAlias.delete(alias)
    }
  }

  #setRoute(row: SnapshotRoute, emit: Emit): void {
    const service = row.serviceId === null ? NO_SERVICE : this.services.get(row.serviceId)
    if (service === undefined)
      throw new Error(`route ${row.id} leads to service ${row.serviceId}, which is unknown`)
    const before = this.routes.get(row.id)
    if (before !== undefined) this.#forget(before)
    const { id, host } = row
    // A snapshot of an older version may have another spelling. Requests are matched in the normal form.
    const mountPath = normalizeEscapes(row.mountPath)
    const options = resolveRouteOptions(row.options)
    const unusable = options.rules?.unusable ?? []
    const mount = formatMount({ host, path: mountPath })
    if (unusable.length > 0) this.#problems.rules(mount, unusable)
    const activity = before?.activity ?? this.#activityOf(id) ?? new RouteActivity()
    const { lifetimeMs = null, updatedAtMs } = row
    const route: DirectoryRoute = {
      id,
      host,
      mountPath,
      mount,
      service,
      options,
      lifetimeMs,
      updatedAtMs,
      activity,
    }
    this.routes.set(id, route)
    this.table.set(host, mountPath, route)
    const siblings = this.routesByService.get(service.id)
    if (siblings === undefined) this.routesByService.set(service.id, new Set([route]))
    else siblings.add(route)
    emit(listener => listener.routeChanged?.(before, route))
  }

  #deleteRoute(id: RouteId, emit: Emit): void {
    const route = this.routes.get(id)
    if (route === undefined) return
    this.routes.delete(id)
    this.#forget(route)
    emit(listener => listener.routeChanged?.(route, undefined))
  }

  #forget(route: DirectoryRoute): void {
    // The log has the rows of one statement in any order, so another route may have the mount already.
    if (this.table.get(route.host, route.mountPath) === route) this.table.delete(route.host, route.mountPath)
    const siblings = this.routesByService.get(route.service.id)
    siblings?.delete(route)
    if (siblings?.size === 0) this.routesByService.delete(route.service.id)
  }

  #applyOverride({ before, after }: Change, emit: Emit): void {
    const { ejectedUntil, deletedAt, ...row } = overrideRow.parse(after ?? before)
    const ejectedUntilMs = ejectedUntil === null ? null : Date.parse(ejectedUntil)
    if (after === null || deletedAt !== null) this.overrides.delete(row)
    else this.overrides.set({ ...row, ejectedUntilMs })
    emit(listener => listener.overrideChanged?.(row.serviceId, row.instance))
  }

  #applyToken(change: Change, emit: Emit): void {
    // A token without a row has no rights, so a deleted row counts as a revocation.
    const row = tokenRow.parse(change.after ?? change.before)
    if (change.after !== null && row.revokedAt === null) {
      this.revocations.delete(row.id)
      return
    }
    if (this.revocations.has(row.id)) return
    this.revocations.set(row.id, row.expiresAt.getTime())
    emit(listener => listener.tokenRevoked?.(row.id))
  }
}
