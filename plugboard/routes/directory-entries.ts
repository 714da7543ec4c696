// The entries of the directory, in the form that its users get.

import { asServiceId, type RouteId, type ServiceId, type TokenId } from '../common/ids/row-ids.ts'
import type { JsonObject } from '../common/json.ts'
import type { SnapshotOverride } from '../database/changes/change-feed.ts'
import type { MeterOwner } from '../metrics/meter-slots.ts'
import type { ServiceMeters } from '../metrics/service-meters.ts'
import type { RouteOptions } from './options/route-options.ts'
import { DEFAULT_SERVICE_POLICY, type ServicePolicy } from './options/service-policy.ts'
import type { RouteActivity } from './route-activity.ts'

/** One object per service during its whole life. Its fields change in place. A reload makes new objects. */
export interface DirectoryService extends MeterOwner<ServiceMeters> {
  readonly id: ServiceId
  readonly name: string
  /** Frozen, and replaced by a new object at each change. Read it once per request. */
  readonly policy: ServicePolicy
}

/** Returns the names under which telephones may announce the service, each once: its own name, then its aliases. */
export function announcedNames({ name, policy }: DirectoryService): readonly string[] {
  return policy.aliases.length === 0 ? [name] : [...new Set([name, ...policy.aliases])]
}

/** The service of routes that respond without a backend. It never has a line. */
export const NO_SERVICE: DirectoryService = Object.freeze({
  id: asServiceId(''),
  name: '',
  policy: DEFAULT_SERVICE_POLICY,
})

/** Immutable, except for its activity. An edited route is a new object with the same activity. */
export interface DirectoryRoute {
  readonly id: RouteId
  /** Host pattern: `app.example.com`, `*.example.com`, `*`. */
  readonly host: string
  /** Mount path: `/`, `/api`. */
  readonly mountPath: string
  /** Host and mount path as one text: `app.example.com/api`. */
  readonly mount: string
  readonly service: DirectoryService
  readonly options: RouteOptions
  /** Time that a claimed route outlives the last line of its telephones, ms; null: no time limit. */
  readonly lifetimeMs: number | null
  /** Time of the last change, ms since 1970; undefined in a snapshot of an older version. */
  readonly updatedAtMs: number | undefined
  readonly activity: RouteActivity
}

export interface VerificationKey {
  readonly kid: string
  readonly algorithm: 'EdDSA'
  readonly publicJwk: JsonObject
}

/** The weight or the ejection that an operator has set for one telephone process of a service. Immutable. */
export type DirectoryOverride = SnapshotOverride

/** Called after a change of the directory. A listener must not throw. */
export interface DirectoryListener {
  /** `before` is undefined for a new route, `after` for a removed one. */
  routeChanged?(before: DirectoryRoute | undefined, after: DirectoryRoute | undefined): void
  /** `before` is a copy; `after` is the object of the service. */
  serviceChanged?(before: DirectoryService | undefined, after: DirectoryService | undefined): void
  /** The override of a process has other values now, or was deleted. */
  overrideChanged?(serviceId: ServiceId, instance: string): void
  /** A token was revoked, so its tunnels must close. */
  tokenRevoked?(tokenId: TokenId): void
  /** Keys were added or removed. Tunnels whose key (`kid`) was removed must close. */
  keysChanged?(): void
  /** A batch of changes was applied. Every replica reports this number. */
  applied?(sequence: number): void
  /** The database has become available or unavailable. Status uses this; traffic does not depend on it. */
  databaseReachable?(reachable: boolean): void
}

/** Calls one method of each listener. */
export type Emit = (notify: (listener: DirectoryListener) => void) => void
