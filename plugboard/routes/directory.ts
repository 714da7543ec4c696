// The cache of the database: routes, services, verification keys, revoked tokens. Requests and tunnels ask it,
// and it answers from memory; changes reach it through the change log, never through a request. It outlives the
// database: without one it goes on with what it has, or starts from the snapshot file.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Database } from '../database/database.ts'
import type { JsonObject } from '../database/json.ts'
import type { RouteOptions } from './route-options.ts'
import type { ServicePolicy } from './service-policy.ts'

export interface DirectoryService {
  readonly id: string
  readonly name: string
  /** Frozen and replaced as a whole when it changes: read it once per request. */
  readonly policy: ServicePolicy
}

export interface DirectoryRoute {
  readonly id: string
  /** Host pattern: `app.example.com`, `*.example.com`, `*`. */
  readonly host: string
  /** Mount path: `/`, `/api`. */
  readonly mountPath: string
  readonly service: DirectoryService
  readonly options: RouteOptions
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
  serviceChanged?(before: DirectoryService | undefined, after: DirectoryService | undefined): void
  /** Close the tunnels of this token. */
  tokenRevoked?(tokenId: string): void
  /** Keys came or went: tunnels whose key (`kid`) is gone must end. */
  keysChanged?(): void
  /** After each batch of changes: every replica reports this number. */
  applied?(sequence: number): void
  /** The database is (not) being followed. Traffic does not care; status does. */
  databaseReachable?(reachable: boolean): void
}

export type DirectorySource = 'database' | 'snapshot'

export interface Directory {
  /** Loads the first table from the database or, failing that, the snapshot; keeps trying until there is one. */
  start(signal?: AbortSignal): Promise<DirectorySource>
  stop(): Promise<void>
  /** False until the first table is loaded; never false again. */
  readonly ready: boolean
  readonly source: DirectorySource | undefined
  /** Sequence of the last change that is in the table. */
  readonly appliedSequence: number
  readonly databaseReachable: boolean
  /**
   * The route for a request. `host`: as `normalizeHost` of shared/mounts.ts gives it; `path`: normalised,
   * starts with `/`, without query. Exact host before the longest wildcard before `*`; a host pattern without
   * a mount for this path falls through to the next.
   */
  match(host: string, path: string): DirectoryRoute | undefined
  route(id: string): DirectoryRoute | undefined
  routes(): IterableIterator<DirectoryRoute>
  routesOfService(serviceId: string): IterableIterator<DirectoryRoute>
  readonly routeCount: number
  service(id: string): DirectoryService | undefined
  serviceByName(name: string): DirectoryService | undefined
  services(): IterableIterator<DirectoryService>
  verificationKey(kid: string): VerificationKey | undefined
  /** For the JWKS. */
  verificationKeys(): readonly VerificationKey[]
  isRevoked(tokenId: string): boolean
  /** Returns the way to unsubscribe. */
  subscribe(listener: DirectoryListener): () => void
  /** Resolves once a change of this sequence (a row that was just written, say) is in the table. */
  waitForSequence(sequence: number, signal?: AbortSignal): Promise<void>
}

/** A pino logger fits. */
export interface DirectoryLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

export interface DirectoryOptions {
  readonly database: Database
  /** Path of the snapshot file; absent: none is kept. */
  readonly snapshotFile?: string | undefined
  readonly log: DirectoryLog
  readonly clock?: Clock | undefined
  readonly random?: (() => number) | undefined
  /** Between looks at the change log without a notification. Default 2,000 ms. */
  readonly pollIntervalMs?: number | undefined
}

export declare function createDirectory(options: DirectoryOptions): Directory
