// Finds replicas by their rows in the database. It writes the row of this replica every second, and reads the other rows in the
// same round trip. Ages are computed with the database's clock, so the clocks of the machines may differ. That clock can be set
// back, so a heartbeat is also never younger than the time since this replica first read it. While the database is unavailable, the last result stays; the links detect which of its replicas are alive.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { ReplicaId } from '../../common/ids/replica-id.ts'
import type { OwnReplicaRecord, ReplicaRecord, ReplicaRecords } from '../../common/replica-record.ts'
import type { PeerIdentity } from '../link/peer-tokens.ts'
import type { Discovery, Found } from './discovery.ts'

export interface PostgresDiscoveryOptions {
  readonly rows: ReplicaRecords
  readonly self: PeerIdentity
  /** Returns the current values of our row. */
  readonly describe: () => OwnReplicaRecord
  readonly clock: Clock
  readonly log: Logger
}

const HEARTBEAT_MS = 1000
/** Longest wait of a stop for the database, ms. */
const REMOVE_MS = 2000

export class PostgresDiscovery implements Discovery {
  readonly source = 'postgres'
  readonly #options: PostgresDiscoveryOptions
  #found: readonly Found[] = []
  /** The last heartbeat of each replica, and when it was first read, in time of the clock. */
  #heartbeats = new Map<ReplicaId, { readonly heartbeat: string; readonly firstReadMs: number }>()
  #timer: Timer | undefined
  #beating: Promise<void> = Promise.resolve()
  #failing = false
  #replaced = false
  #stopped = false

  constructor(options: PostgresDiscoveryOptions) {
    this.#options = options
  }

  found(): readonly Found[] {
    return this.#found
  }

  start(onResponse: () => void): void {
    this.#beating = this.#beat(onResponse)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    const overdue = Promise.withResolvers<void>()
    const timer = this.#options.clock.after(REMOVE_MS, () => overdue.resolve())
    await Promise.race([this.#remove(), overdue.promise])
    timer.cancel()
  }

  /** Deletes our row. A row that stays is ignored after a few seconds, and deleted within an hour. */
  async #remove(): Promise<void> {
    await this.#beating
    const { rows, self, log } = this.#options
    await rows.remove(self.id, self.incarnation).catch((error: unknown) => {
      log.info('this replica could not delete its row in the database', { err: error })
    })
  }

  /** Calls the listener. Its errors are logged apart from errors of the database, and heartbeats continue. */
  #notify(onResponse: () => void): void {
    try {
      onResponse()
    } catch (error) {
      this.#options.log.error('the replicas from the database could not be applied', { err: error })
    }
  }

  /** `startedMs`: when the read began. The round trip counts as age, so that a slow response does not extend a lease. */
  #aged(records: readonly ReplicaRecord[], startedMs: number): ReplicaRecord[] {
    const nowMs = this.#options.clock.now()
    const before = this.#heartbeats
    this.#heartbeats = new Map()
    return records.map(record => {
      const { id, heartbeat, heartbeatAgeMs } = record
      const known = before.get(id)
      const firstReadMs = known?.heartbeat === heartbeat ? known.firstReadMs : startedMs
      this.#heartbeats.set(id, { heartbeat, firstReadMs })
      return { ...record, heartbeatAgeMs: Math.max(heartbeatAgeMs + nowMs - startedMs, nowMs - firstReadMs) }
    })
  }

  async #beat(onResponse: () => void): Promise<void> {
    const { rows, self, describe, clock, log } = this.#options
    const startedMs = clock.now()
    try {
      const { current, rows: all } = await rows.beat(describe())
      if (!current && !this.#replaced) {
        log.error('a newer replica uses the name of this one; give each replica its own name', {
          replicaId: self.id,
        })
      }
      this.#replaced = !current
      if (this.#failing) log.info('heartbeats are written to the database again')
      this.#failing = false
      const others = all.filter(({ id }) => id !== self.id)
      this.#found = this.#aged(others, startedMs).map(record => ({ address: record.address, record }))
    } catch (error) {
      if (!this.#failing)
        log.warn('the heartbeat could not be written to the database; the known replicas are kept', {
          err: error,
        })
      this.#failing = true
    }
    if (this.#stopped) return
    if (!this.#failing) this.#notify(onResponse)
    const leftMs = HEARTBEAT_MS - (clock.now() - startedMs)
    this.#timer = clock.after(Math.max(100, leftMs), () => {
      this.#beating = this.#beat(onResponse)
    })
  }
}
