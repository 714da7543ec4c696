// The cache of the database: routes, services, verification keys, revoked tokens. Requests and tunnels read it from memory. Changes
// arrive through the change log, never through a request. While the database is unavailable, it serves the last state, or starts
// from the snapshot file.
//
//   Postgres ─▶ change-follower ─▶ directory-state (route-table) ─▶ match(), isRevoked(), …
//                                        ▲ start without Postgres │ after changes
//                                        └────── snapshot file ◀──┘

import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Clock, systemClock, type Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { CHANGE_LAG_BOUNDARIES, Histogram } from '@vera-stack/shared/metrics/histogram.ts'
import type { RouteId, ServiceId, TokenId } from '../common/ids/row-ids.ts'
import { StartupError } from '../common/startup-error.ts'
import type { LogPosition } from '../database/changes/change-feed.ts'
import { type DatabaseOutage, describeOutage } from '../database/connection/database-outage.ts'
import type { Database } from '../database/database.ts'
import type { Change } from '../database/store/store.ts'
import { ChangeFollower } from './change-follower.ts'
import { difference } from './directory-difference.ts'
import type {
  DirectoryListener,
  DirectoryOverride,
  DirectoryRoute,
  DirectoryService,
  Emit,
  VerificationKey,
} from './directory-entries.ts'
import { DirectoryState, type RowProblems } from './directory-state.ts'
import { readSnapshot } from './snapshot/snapshot-file.ts'
import { SnapshotKeeper } from './snapshot/snapshot-keeper.ts'

export type { DirectoryListener, DirectoryOverride, DirectoryRoute, DirectoryService, VerificationKey }

export type DirectorySource = 'database' | 'snapshot'

export interface Directory {
  /**
   * Loads the first table from the database or, failing that, the snapshot; retries until it has a table. Rejects with
   * StartupError when there is no snapshot and a person must change something before the database can be used.
   */
  start(signal?: AbortSignal): Promise<DirectorySource>
  stop(): Promise<void>
  /** Undefined until the first table is loaded. */
  readonly source: DirectorySource | undefined
  /** Sequence of the last change that is in the table. */
  readonly appliedSequence: number
  /** Sequence of the newest change in the log, as far as this replica has read it. */
  readonly newestSequence: number
  /** Time from the write of a change until it was in the table, seconds. It contains the difference of the clocks. */
  readonly changeLag: Histogram
  readonly databaseReachable: boolean
  /** False: changes are found only by polling, because notifications are lost. */
  readonly notificationsArrive: boolean
  /**
   * Returns the route for a request. `host` is a result of `normalizeHost` (shared/mounts.ts). `path` is normalised, starts with
   * `/`, and has no query. The exact host comes first, then the longest wildcard, then `*`. When a host pattern has no mount for
   * the path, the next pattern is tried.
   */
  match(host: string, path: string): DirectoryRoute | undefined
  /** Returns true when a route has exactly this host. Wildcards and `*` do not count. */
  hasHost(host: string): boolean
  route(id: RouteId): DirectoryRoute | undefined
  routesOfService(serviceId: ServiceId): IterableIterator<DirectoryRoute>
  routes(): IterableIterator<DirectoryRoute>
  /** Returns the routes of exactly this host pattern. */
  routesOfHost(pattern: string): Iterable<DirectoryRoute>
  readonly routeCount: number
  /** Returns the number of routes to a service. */
  routeCountOf(serviceId: ServiceId): number
  service(id: ServiceId): DirectoryService | undefined
  /** Returns the service with this name or alias. */
  serviceByName(name: string): DirectoryService | undefined
  services(): IterableIterator<DirectoryService>
  readonly serviceCount: number
  verificationKey(kid: string): VerificationKey | undefined
  /** Returns all keys, for the JWKS. */
  verificationKeys(): readonly VerificationKey[]
  isRevoked(tokenId: TokenId): boolean
  /** Returns the override of the process. */
  overrideOf(serviceId: ServiceId, instance: string): DirectoryOverride | undefined
  overrides(): IterableIterator<DirectoryOverride>
  /** Returns a function that unsubscribes. */
  subscribe(listener: DirectoryListener): () => void
  /** Resolves when the change with this sequence is in the table, for example the change of a row that was just written. */
  waitForSequence(sequence: number, signal?: AbortSignal): Promise<void>
}

export interface DirectoryOptions {
  readonly database: Pick<Database, 'openChangeFeed'>
  /** Names the database in logs and errors; from `databasePlace`. */
  readonly databasePlace?: string | undefined
  /** Path of the snapshot file; absent: no file is written. */
  readonly snapshotFile?: string | undefined
  readonly log: Logger
  readonly clock?: Clock | undefined
  readonly random?: (() => number) | undefined
  /** Interval between polls of the change log, ms. Default 2,000. */
  readonly pollIntervalMs?: number | undefined
}

/** Longest wait of a start for the database before it loads the snapshot, ms. */
const SNAPSHOT_AFTER_MS = 2_000
const SWEEP_INTERVAL_MS = 60_000
/** Interval between two warnings about a database that stays unavailable for the same reason, ms. */
const WARNING_INTERVAL_MS = 30_000
/** Rows per turn of the event loop after a reload. A notification of one row takes up to 20 µs. */
const ROWS_PER_TURN = 500

export function createDirectory(options: DirectoryOptions): Directory {
  return new CachedDirectory(options)
}

class CachedDirectory implements Directory {
  readonly #options: DirectoryOptions
  readonly #clock: Clock
  readonly #follower: ChangeFollower<DirectoryState>
  readonly #keeper: SnapshotKeeper | undefined
  readonly #listeners = new Set<DirectoryListener>()
  readonly #waiting = new Set<{ readonly sequence: number; readonly resolve: () => void }>()
  readonly #firstLoad = Promise.withResolvers<DirectorySource>()
  /** Settles when the first attempt to reach the database has succeeded or failed. */
  readonly #firstAttempt = Promise.withResolvers<void>()
  readonly changeLag = new Histogram(CHANGE_LAG_BOUNDARIES)
  #newest = 0
  #state: DirectoryState | undefined
  #source: DirectorySource | undefined
  /** Undefined before the first attempt. */
  #reachable: boolean | undefined
  #outage: (DatabaseOutage & { readonly sinceMs: number; readonly error: unknown }) | undefined
  /** The last warning about the outage. */
  #warned: { readonly atMs: number; readonly text: string } | undefined
  /** True when the start has loaded the snapshot, or has failed to load it. */
  #snapshotTried = false
  #notificationsArrive = true
  #running: Promise<void> | undefined
  #sweep: Timer | undefined

  constructor(options: DirectoryOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#follower = new ChangeFollower({
      openFeed: () => options.database.openChangeFeed(),
      clock: this.#clock,
      random: options.random ?? Math.random,
      pollIntervalMs: options.pollIntervalMs ?? 2_000,
      position: () => this.#state?.position,
      emptyState: () => this.#emptyState(),
      replace: (state, position) => this.#replaceFromDatabase(state, position),
      apply: changes => this.#apply(changes),
      newest: sequence => {
        this.#newest = sequence
      },
      reachable: (reachable, error) => this.#setReachable(reachable, error),
      notifications: arrive => this.#setNotifications(arrive),
      reloading: reason => options.log.warn('reloading all routes', { detail: reason }),
    })
    const file = options.snapshotFile
    if (file !== undefined) {
      this.#keeper = new SnapshotKeeper({
        file,
        clock: this.#clock,
        currentState: () => this.#state,
        failed: error =>
          options.log.warn('the snapshot of the routes cannot be written', { file, err: error }),
      })
    }
  }

  async start(signal?: AbortSignal): Promise<DirectorySource> {
    signal?.throwIfAborted()
    signal?.addEventListener('abort', () => this.#firstLoad.reject(signal.reason), { once: true })
    this.#running = this.#follower.run()
    this.#scheduleSweep()
    if (this.#options.snapshotFile !== undefined) {
      const patience = this.#clock.after(SNAPSHOT_AFTER_MS, this.#firstAttempt.resolve)
      await Promise.race([this.#firstAttempt.promise, this.#firstLoad.promise])
      patience.cancel()
      if (this.#state === undefined) await this.#loadSnapshot(this.#options.snapshotFile)
    }
    this.#snapshotTried = true
    this.#reportOutage()
    return await this.#firstLoad.promise
  }

  async stop(): Promise<void> {
    this.#sweep?.cancel()
    await this.#follower.stop()
    await this.#running
    await this.#keeper?.flush()
  }

  get source(): DirectorySource | undefined {
    return this.#source
  }

  get appliedSequence(): number {
    return this.#state?.position.sequence ?? 0
  }

  get newestSequence(): number {
    return Math.max(this.#newest, this.appliedSequence)
  }

  get notificationsArrive(): boolean {
    return this.#notificationsArrive
  }

  get databaseReachable(): boolean {
    return this.#reachable === true
  }

  /** A search reads all routes. An iterator of its own here would double the time. */
  routes(): IterableIterator<DirectoryRoute> {
    return this.#state?.routes.values() ?? [].values()
  }

  get routeCount(): number {
    return this.#state?.routes.size ?? 0
  }

  routesOfHost(pattern: string): Iterable<DirectoryRoute> {
    return this.#state?.table.valuesOf(pattern) ?? []
  }

  routeCountOf(serviceId: ServiceId): number {
    return this.#state?.routesByService.get(serviceId)?.size ?? 0
  }

  match(host: string, path: string): DirectoryRoute | undefined {
    return this.#state?.table.match(host, path)
  }

  hasHost(host: string): boolean {
    return this.#state?.table.hasHost(host) ?? false
  }

  route(id: RouteId): DirectoryRoute | undefined {
    return this.#state?.routes.get(id)
  }

  *routesOfService(serviceId: ServiceId): IterableIterator<DirectoryRoute> {
    yield* this.#state?.routesByService.get(serviceId) ?? []
  }

  service(id: ServiceId): DirectoryService | undefined {
    return this.#state?.services.get(id)
  }

  serviceByName(name: string): DirectoryService | undefined {
    return this.#state?.servicesByName.get(name) ?? this.#state?.servicesByAlias.get(name)
  }

  *services(): IterableIterator<DirectoryService> {
    if (this.#state !== undefined) yield* this.#state.services.values()
  }

  get serviceCount(): number {
    return this.#state?.services.size ?? 0
  }

  verificationKey(kid: string): VerificationKey | undefined {
    return this.#state?.keys.get(kid)
  }

  verificationKeys(): readonly VerificationKey[] {
    return this.#state === undefined ? [] : [...this.#state.keys.values()]
  }

  isRevoked(tokenId: TokenId): boolean {
    return this.#state?.revocations.has(tokenId) ?? false
  }

  overrideOf(serviceId: ServiceId, instance: string): DirectoryOverride | undefined {
    return this.#state?.overrides.get({ serviceId, instance })
  }

  *overrides(): IterableIterator<DirectoryOverride> {
    yield* this.#state?.overrides ?? []
  }

  subscribe(listener: DirectoryListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async waitForSequence(sequence: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (this.#state !== undefined && this.appliedSequence >= sequence) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const entry = { sequence, resolve }
    const abort = () => reject(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    this.#waiting.add(entry)
    try {
      await promise
    } finally {
      this.#waiting.delete(entry)
      signal?.removeEventListener('abort', abort)
    }
  }

  readonly #emit: Emit = notify => {
    for (const listener of this.#listeners) {
      try {
        notify(listener)
      } catch (error) {
        // An error of one listener must not stop changes for other listeners or the table.
        this.#options.log.error('a listener of the directory failed', { err: error })
      }
    }
  }

  #emptyState(): DirectoryState {
    const { log } = this.#options
    const problems: RowProblems = {
      policy: (service, found) =>
        log.warn('a service policy has invalid values; the defaults are used', {
          service,
          detail: found.join('; '),
        }),
      rules: (mount, found) =>
        log.error('a route has invalid rules; its requests get 503', {
          mount,
          detail: found.join('; '),
        }),
    }
    return new DirectoryState(problems, id => this.#state?.routes.get(id)?.activity)
  }

  async #loadSnapshot(file: string): Promise<void> {
    const state = this.#emptyState()
    try {
      const position = await readSnapshot(file, state)
      // The database may have delivered the table first.
      if (this.#state !== undefined) return
      // Runs in one turn, because the follower may apply changes to this state from now on.
      const news = this.#replace(state, position, 'snapshot')
      for (const notify of news) if (notify !== undefined) this.#emit(notify)
      this.#advanced()
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
      this.#options.log.warn('the snapshot of the routes cannot be used', { file, err: error })
    }
  }

  /** Makes the new state serve. Returns the notifications for listeners, and undefined for equal rows. */
  #replace(state: DirectoryState, position: LogPosition, source: DirectorySource) {
    const before = this.#state ?? this.#emptyState()
    state.position = position
    this.#state = state
    this.#source = source
    this.#firstLoad.resolve(source)
    return difference(before, state)
  }

  /** Replaces the state. The follower awaits this call, so that no change is applied during the notifications. */
  async #replaceFromDatabase(state: DirectoryState, position: LogPosition): Promise<void> {
    let rows = 0
    for (const notify of this.#replace(state, position, 'database')) {
      if (notify !== undefined) this.#emit(notify)
      if (++rows % ROWS_PER_TURN === 0) await nextTurn()
    }
    this.#advanced()
    this.#keeper?.schedule()
  }

  #apply(changes: readonly Change[]): void {
    const nowMs = this.#clock.wallTime()
    for (const change of changes) {
      this.#state?.apply(change, this.#emit)
      this.changeLag.observe(Math.max(0, nowMs - change.at.getTime()) / 1000)
    }
    this.#advanced()
    this.#keeper?.schedule()
  }

  #advanced(): void {
    const sequence = this.appliedSequence
    this.#emit(listener => listener.applied?.(sequence))
    for (const entry of this.#waiting) if (entry.sequence <= sequence) entry.resolve()
  }

  #setReachable(reachable: boolean, error?: unknown): void {
    this.#firstAttempt.resolve()
    if (reachable) {
      if (this.#state !== undefined) this.#source = 'database'
      this.#endOutage()
    } else {
      const sinceMs = this.#outage?.sinceMs ?? this.#clock.now()
      this.#outage = {
        ...describeOutage(error, this.#options.databasePlace ?? 'of Plugboard'),
        error,
        sinceMs,
      }
      this.#reportOutage()
    }
    if (this.#reachable === reachable) return
    this.#reachable = reachable
    this.#emit(listener => listener.databaseReachable?.(reachable))
  }

  /**
   * Logs the first failure, each change of its reason, and a reminder every 30 s. Ends the start when there is no table to
   * serve and waiting does not help. Returns at once before the snapshot was tried, because the text depends on the result.
   */
  #reportOutage(): void {
    if (this.#outage === undefined || !this.#snapshotTried) return
    const { text, code, permanent, error, sinceMs } = this.#outage
    if (permanent && this.#state === undefined) {
      this.#firstLoad.reject(new StartupError(text, error))
      return
    }
    const nowMs = this.#clock.now()
    const repeated = this.#warned?.text === text && nowMs - this.#warned.atMs < WARNING_INTERVAL_MS
    if (repeated) return
    this.#warned = { atMs: nowMs, text }
    const message =
      this.#state === undefined
        ? 'the database is unavailable, the start waits for it'
        : 'the database is unavailable, routes are served from memory'
    this.#options.log.warn(message, { code, detail: text, durationMs: nowMs - sinceMs })
  }

  #endOutage(): void {
    if (this.#outage === undefined) return
    const durationMs = this.#clock.now() - this.#outage.sinceMs
    this.#outage = undefined
    if (this.#warned !== undefined) this.#options.log.info('the database is available again', { durationMs })
    this.#warned = undefined
  }

  #setNotifications(arrive: boolean): void {
    if (this.#notificationsArrive === arrive) return
    this.#notificationsArrive = arrive
    const { log, pollIntervalMs = 2_000 } = this.#options
    if (arrive) log.info('database notifications arrive again')
    else {
      log.warn('database notifications do not arrive; changes are read by polling', {
        detail:
          'a connection pooler in transaction mode drops LISTEN: use session mode or a direct connection',
        delayMs: pollIntervalMs,
      })
    }
  }

  #scheduleSweep(): void {
    this.#sweep = this.#clock.after(SWEEP_INTERVAL_MS, () => {
      this.#state?.forgetExpired(this.#clock.wallTime())
      this.#scheduleSweep()
    })
  }
}
