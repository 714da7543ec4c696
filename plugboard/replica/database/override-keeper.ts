// Deletes the overrides of telephone processes that have ended. Once a minute, each replica stores which of these processes have a line. The
// replica that holds the lease then deletes the overrides of processes that no replica has seen for a while. Without overrides, it
// sends no query, except one clean-up an hour.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { Store } from '../../database/store/store.ts'
import type { Registry } from '../../registry/registry.ts'
import type { Directory, DirectoryOverride } from '../../routes/directory.ts'
import { announcedNames } from '../../routes/directory-entries.ts'

const INTERVAL_MS = 60_000
/** A process that stays away longer has ended. A telephone that lost its network comes back sooner. */
const GONE_MS = 600_000
/** Rounds between two clean-ups while there are no overrides. */
const IDLE_ROUNDS = 60
const LEASE = 'process overrides'
const LEASE_MS = 150_000

export interface OverrideKeeperOptions {
  readonly directory: Pick<Directory, 'overrides' | 'service' | 'databaseReachable'>
  readonly registry: Pick<Registry, 'linesOf'>
  readonly store: Pick<Store, 'processOverrides' | 'leases'>
  /** Identifies this start of the replica, as the owner of the lease. */
  readonly incarnation: string
  readonly clock: Clock
  readonly log: Logger
}

export class OverrideKeeper {
  readonly #options: OverrideKeeperOptions
  readonly #startedMs: number
  #timer: Timer
  #round = 0
  #running: Promise<void> | undefined

  constructor(options: OverrideKeeperOptions) {
    this.#options = options
    this.#startedMs = options.clock.now()
    this.#timer = options.clock.after(INTERVAL_MS, () => this.#look())
  }

  /** Stops the timer, and waits for a round that is in progress. */
  async stop(): Promise<void> {
    this.#timer.cancel()
    await this.#running
  }

  #look(): void {
    this.#timer = this.#options.clock.after(INTERVAL_MS, () => this.#look())
    // A round that waits for the database replaces the next ones.
    this.#running ??= this.#keep().finally(() => {
      this.#running = undefined
    })
  }

  async #keep(): Promise<void> {
    const { directory, store, clock, log, incarnation } = this.#options
    const overrides = [...directory.overrides()]
    this.#round += 1
    if (!directory.databaseReachable) return
    if (overrides.length === 0 && this.#round % IDLE_ROUNDS !== 0) return
    try {
      await store.processOverrides.seen(overrides.filter(each => this.#hasLine(each)).map(({ id }) => id))
      // A replica that has just started may not have the lines of the telephones yet.
      if (clock.now() - this.#startedMs < GONE_MS) return
      if (!(await store.leases.take(LEASE, incarnation, LEASE_MS))) return
      const count = await store.processOverrides.prune(GONE_MS)
      if (count > 0) log.info('overrides deleted: their processes have ended', { count })
    } catch (error) {
      log.warn('overrides of processes could not be checked; the next attempt is in a minute', {
        err: error,
      })
    }
  }

  /** True when the process has a line on any replica. */
  #hasLine({ serviceId, instance }: DirectoryOverride): boolean {
    const service = this.#options.directory.service(serviceId)
    if (service === undefined) return false
    return announcedNames(service).some(name =>
      [...this.#options.registry.linesOf(name)].some(line => line.instance === instance),
    )
  }
}
