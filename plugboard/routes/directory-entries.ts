// What the directory holds, as those who ask it see it.

import type { JsonObject } from '../common/json.ts'
import { asServiceId, type RouteId, type ServiceId, type TokenId } from '../common/row-ids.ts'
import type { RouteActivity } from './route-activity.ts'
import type { RouteOptions } from './route-options.ts'
import { DEFAULT_SERVICE_POLICY, type ServicePolicy } from './service-policy.ts'

/** One object per service for as long as it lives; its fields change in place. */
export interface DirectoryService {
  readonly id: ServiceId
  readonly name: string
  /** Frozen, and replaced as a whole when it changes: read it once per request. */
  readonly policy: ServicePolicy
}

/** The names under which telephones may announce the service, each once: its own, then its aliases. */
export function announcedNames({ name, policy }: DirectoryService): readonly string[] {
  return policy.aliases.length === 0 ? [name] : [...new Set([name, ...policy.aliases])]
}

/** Stands for the service of a route that responds by itself. It never has a line. */
export const NO_SERVICE: DirectoryService = Object.freeze({
  id: asServiceId(''),
  name: '',
  policy: DEFAULT_SERVICE_POLICY,
})

/** Never changes, except for its activity: an edited route is a new object with the same activity. */
export interface DirectoryRoute {
  readonly id: RouteId
  /** Host pattern: `app.example.com`, `*.example.com`, `*`. */
  readonly host: string
  /** Mount path: `/`, `/api`. */
  readonly mountPath: string
  /** Both as one text, for logs: `app.example.com/api`. */
  readonly mount: string
  readonly service: DirectoryService
  readonly options: RouteOptions
  /** How long a claimed route outlives the last line of its telephones, ms; null: until somebody deletes it. */
  readonly lifetimeMs: number | null
  readonly activity: RouteActivity
}

export interface VerificationKey {
  readonly kid: string
  readonly algorithm: 'EdDSA'
  readonly publicJwk: JsonObject
}

/** Told after the directory itself has changed. A listener must not throw. */
export interface DirectoryListener {
  /** `before` absent: a new route; `after` absent: it is gone. */
  routeChanged?(before: DirectoryRoute | undefined, after: DirectoryRoute | undefined): void
  /** `before` is a copy; `after` is the living object. */
  serviceChanged?(before: DirectoryService | undefined, after: DirectoryService | undefined): void
  /** Close the tunnels of this token. */
  tokenRevoked?(tokenId: TokenId): void
  /** Keys came or went: tunnels whose key (`kid`) is gone must end. */
  keysChanged?(): void
  /** After each batch of changes: every replica reports this number. */
  applied?(sequence: number): void
  /** The database is (not) being followed. Traffic does not care; status does. */
  databaseReachable?(reachable: boolean): void
}

/** Calls one method of each listener. */
export type Emit = (tell: (listener: DirectoryListener) => void) => void
