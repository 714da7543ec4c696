// Once a minute, writes one batch: the time at which this replica last served each route, and the claims with a lifetime that
// have a line on this replica. Then the replica that holds the lease deletes the claims whose lifetime is over
// (database/store/routes/route-activity.ts).
//
//   requests ─▶ RouteActivity of the route ─┐
//   lines of this replica ──────────────────┴─▶ record ─▶ lease ─▶ expired, without a line anywhere ─▶ deleted
//
// A batch that fails is repeated with the next one: values stay in memory until they are written.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { RouteUse, Store } from '../../database/store/store.ts'
import type { Registry } from '../../registry/registry.ts'
import type { Directory, DirectoryRoute } from '../../routes/directory.ts'
import { announcedNames } from '../../routes/directory-entries.ts'

/** The time between the end of one batch and the next batch. route-activity.ts counts a gap of 150 s as an outage. */
const INTERVAL_MS = 60_000
/** A replica that dies with the lease delays deletions by this much. */
const LEASE_MS = 150_000
const LEASE = 'expired claims'
/** The limit of deletions within one interval. */
const MAX_EXPIRED = 500
/** Requests record a time that is a little old (deadlines.ts), so each batch also covers this time before the last batch. */
const OVERLAP_MS = 5_000

export interface RouteRecorderOptions {
  readonly directory: Pick<Directory, 'routes' | 'serviceByName' | 'databaseReachable'>
  readonly registry: Pick<Registry, 'linesOf' | 'subscribe'>
  readonly store: Pick<Store, 'routeActivity' | 'leases'>
  readonly replicaId: string
  /** Identifies this start of the replica, as the owner of the lease. */
  readonly incarnation: string
  readonly clock: Clock
  readonly log: Logger
}

export class RouteRecorder {
  readonly #options: RouteRecorderOptions
  readonly #unsubscribe: () => void
  /** By service: the time at which its last line on this replica ended, for services without a line since the last batch. */
  #ended = new Map<string, number>()
  #recordedMs = Number.NEGATIVE_INFINITY
  #failing = false
  #stopped = false
  #timer: Timer | undefined
  #running: Promise<void> | undefined

  /** Starts to record. The first batch is written at once. */
  constructor(options: RouteRecorderOptions) {
    this.#options = options
    this.#unsubscribe = options.registry.subscribe({
      lineRemoved: ({ service, replicaId }) => {
        if (replicaId !== options.replicaId || this.#hasOwnLine(service)) return
        // Only services that exist are kept, so that telephones cannot fill the memory with names.
        if (options.directory.serviceByName(service) !== undefined)
          this.#ended.set(service, options.clock.now())
      },
    })
    this.#begin()
  }

  /** Writes a last batch, and releases the lease for another replica. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    await this.#running
    this.#unsubscribe()
    // A stop does not wait for a database that is down.
    if (!this.#options.directory.databaseReachable) return
    if (await this.#record()) await this.#attempt(() => this.#releaseLease())
  }

  #begin(): void {
    this.#running = this.#look().then(() => {
      this.#running = undefined
      if (!this.#stopped) this.#timer = this.#options.clock.after(INTERVAL_MS, () => this.#begin())
    })
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    if ((await this.#record()) && !this.#stopped) await this.#attempt(() => this.#deleteExpired())
  }

  /** True when the batch is written. Never rejects. */
  async #record(): Promise<boolean> {
    const ended = this.#ended
    this.#ended = new Map()
    const nowMs = this.#options.clock.now()
    const recorded = await this.#attempt(() =>
      this.#options.store.routeActivity.record(this.#collect(nowMs, ended)),
    )
    if (recorded) this.#recordedMs = nowMs
    else for (const [service, atMs] of ended) if (!this.#ended.has(service)) this.#ended.set(service, atMs)
    return recorded
  }

  #collect(nowMs: number, ended: ReadonlyMap<string, number>): RouteUse[] {
    const uses: RouteUse[] = []
    const lineAges = new Map<string, number | undefined>()
    for (const route of this.#options.directory.routes()) {
      const { servedAtMs, telephone } = route.activity
      const served = servedAtMs > this.#recordedMs - OVERLAP_MS
      const lineAgeMs = this.#lineAgeMs(route, nowMs, ended, lineAges)
      if (!served && lineAgeMs === undefined) continue
      uses.push({
        routeId: route.id,
        ...(served && { servedAgeMs: Math.max(0, nowMs - servedAtMs) }),
        ...(served && telephone !== '' && { telephone }),
        ...(lineAgeMs !== undefined && { lineAgeMs }),
      })
    }
    return uses
  }

  /**
   * Returns the ms since a route with a lifetime last had a line on this replica; undefined: it had no line since the last
   * batch, or the route has no lifetime.
   */
  #lineAgeMs(
    { lifetimeMs, service }: DirectoryRoute,
    nowMs: number,
    ended: ReadonlyMap<string, number>,
    known: Map<string, number | undefined>,
  ): number | undefined {
    if (lifetimeMs === null) return undefined
    if (known.has(service.id)) return known.get(service.id)
    const ages = announcedNames(service).flatMap(name => {
      if (this.#hasOwnLine(name)) return 0
      const endedMs = ended.get(name)
      return endedMs === undefined ? [] : nowMs - endedMs
    })
    const age = ages.length === 0 ? undefined : Math.min(...ages)
    known.set(service.id, age)
    return age
  }

  #hasOwnLine(service: string): boolean {
    for (const { replicaId } of this.#options.registry.linesOf(service)) {
      if (replicaId === this.#options.replicaId) return true
    }
    return false
  }

  /** True when the service has a line on any replica. */
  #hasLine(service: string): boolean {
    const { directory, registry } = this.#options
    const known = directory.serviceByName(service)
    const names = known === undefined ? [service] : announcedNames(known)
    return names.some(name => registry.linesOf(name).next().done !== true)
  }

  async #deleteExpired(): Promise<void> {
    const { store, incarnation, log } = this.#options
    if (!(await store.leases.take(LEASE, incarnation, LEASE_MS))) return
    const expired = await store.routeActivity.expired(MAX_EXPIRED)
    // A replica that does not reach the database does not record its lines, but the registry has them.
    const unused = expired.filter(({ service }) => service === null || !this.#hasLine(service))
    if (unused.length === 0) return
    const ids = unused.map(({ id }) => id)
    const deleted = await store.routeActivity.removeExpired(ids, { actor: 'system' })
    for (const { id, mount, service } of deleted) {
      log.info('claim ended: no telephone for its lifetime', {
        route: id,
        mount,
        service: service ?? undefined,
      })
    }
  }

  #releaseLease(): Promise<void> {
    const { store, incarnation } = this.#options
    return store.leases.release(LEASE, incarnation)
  }

  /** Resolves with true when the work is done. Logs one warning for a fault; the directory reports outages of the database. */
  async #attempt(work: () => Promise<void>): Promise<boolean> {
    try {
      await work()
      this.#failing = false
      return true
    } catch (error) {
      const isOutage = error instanceof VeraError && error.code === 'database_unavailable'
      if (!this.#failing && !isOutage) {
        this.#options.log.warn('the use of routes could not be recorded; it is repeated every minute', {
          err: error,
        })
      }
      this.#failing = !isOutage
      return false
    }
  }
}
