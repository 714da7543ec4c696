// Makes the counts of limits with a window of an hour or more survive a restart: reads them at the start, and writes changed
// counts every 30 s and at the stop. A stored count is the time at which the whole burst is available again, as a distance from
// now. That time contains the requests of all replicas, so of two counts of one key the later one is right, and the sum is wrong.
// Limits need no database: while it is away, the counts stay in memory and are written later.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { CompiledLimit } from './compiled-limits.ts'
import type { LimitKey, LimitTable } from './limit-table.ts'

/** Interval between two writes, ms. A crash loses at most the counts of this time. */
export const WRITE_INTERVAL_MS = 30_000
/** Rows of one write. Between two writes, the process does other work. */
const BATCH_ROWS = 2_000
const NO_KEY: LimitKey = -1

export interface StoredQuota {
  readonly key: LimitKey
  /** True when the limit counts over all replicas. */
  readonly isShared: boolean
  /** Time until the whole burst is available, ms. */
  readonly aheadMs: number
}

/** The table of the database. A promise that rejects with `database_unavailable` is not logged here. */
export interface QuotaRows {
  /** Resolves with at most `limit` keys, the last to be restored first. */
  read(limit: number): Promise<readonly StoredQuota[]>
  /** Of a stored and a written count of one key, the later one stays. */
  write(quotas: readonly StoredQuota[]): Promise<void>
  /** Deletes keys whose whole burst is available. */
  prune(): Promise<number>
}

export interface QuotaStoreOptions {
  readonly table: LimitTable
  readonly rows: QuotaRows
  /** Returns false while the database is away. Then neither the start nor the stop waits for it. */
  readonly isReachable: () => boolean
  readonly clock: Clock
  readonly log: Logger
}

export class QuotaStore {
  readonly #options: QuotaStoreOptions
  /** The keys to write, and whether their limit is shared. */
  #changed = new Map<LimitKey, boolean>()
  /** By slot: its key, if `#changed` has the key. So a request does no lookup in the Map. */
  #marked = new Float64Array(0)
  #isRead = false
  #failing = false
  #stopped = false
  #timer: Timer | undefined
  #running: Promise<void> | undefined

  constructor(options: QuotaStoreOptions) {
    this.#options = options
  }

  /** Number of keys whose last requests are not stored yet. */
  get unwritten(): number {
    return this.#changed.size
  }

  /** Reads the stored counts, if the database is available, and begins to write. Never rejects. */
  async start(): Promise<void> {
    if (this.#options.isReachable()) await this.#attempt(() => this.#read())
    if (!this.#stopped) this.#schedule()
  }

  /** Records that a limit has counted for the key of the slot. */
  admitted({ shared, isStored }: Pick<CompiledLimit, 'shared' | 'isStored'>, slot: number): void {
    if (!isStored) return
    const { table } = this.#options
    if (slot >= this.#marked.length) this.#grow(slot)
    const key = table.keyOf(slot)
    if (this.#marked[slot] === key) return
    // A full table evicts keys, so there may be more changed keys than slots. A key without a place is stored after a later request.
    if (this.#changed.size >= table.maxKeys && !this.#changed.has(key)) return
    this.#marked[slot] = key
    this.#changed.set(key, shared)
  }

  /** Writes the counts that have changed. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    await this.#running
    if (this.#options.isReachable()) await this.#attempt(() => this.#write())
  }

  #schedule(): void {
    this.#timer = this.#options.clock.after(WRITE_INTERVAL_MS, () => {
      this.#running = this.#attempt(() => this.#round()).then(() => {
        this.#running = undefined
        if (!this.#stopped) this.#schedule()
      })
    })
  }

  async #round(): Promise<void> {
    if (!this.#isRead) await this.#read()
    await this.#write()
    await this.#options.rows.prune()
  }

  /** Takes over stored counts. A key that has a later time already, from requests or from other replicas, keeps it. */
  async #read(): Promise<void> {
    const { table, rows, clock } = this.#options
    const quotas = await rows.read(table.maxKeys)
    const nowMs = clock.now()
    for (const { key, aheadMs } of quotas) {
      let slot = table.find(key)
      if (slot === -1 && table.size === table.maxKeys) continue
      if (slot === -1) slot = table.add(key, nowMs)
      table.setFullAtMs(slot, Math.max(table.fullAtMs(slot), nowMs + aheadMs))
    }
    this.#isRead = true
  }

  async #write(): Promise<void> {
    const changed = [...this.#changed]
    this.#changed = new Map()
    this.#marked.fill(NO_KEY)
    let written = 0
    try {
      while (written < changed.length) {
        const batch = changed.slice(written, written + BATCH_ROWS)
        await this.#options.rows.write(this.#quotasOf(batch))
        written += batch.length
      }
    } finally {
      for (const [key, isShared] of changed.slice(written)) {
        if (this.#changed.size < this.#options.table.maxKeys) this.#changed.set(key, isShared)
      }
    }
  }

  /** Returns the counts of the keys that are still in the table, and whose quota is not restored. */
  #quotasOf(keys: readonly (readonly [LimitKey, boolean])[]): StoredQuota[] {
    const { table, clock } = this.#options
    const nowMs = clock.now()
    return keys.flatMap(([key, isShared]) => {
      const slot = table.find(key)
      const aheadMs = slot === -1 ? 0 : table.fullAtMs(slot) - nowMs
      return aheadMs > 0 ? [{ key, isShared, aheadMs }] : []
    })
  }

  /** Logs one warning for a fault. Does not log outages of the database, because the directory reports them. Never rejects. */
  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work()
      this.#failing = false
    } catch (error) {
      const isOutage = error instanceof VeraError && error.code === 'database_unavailable'
      if (!this.#failing && !isOutage) {
        const [message, seconds] = ['the use of limits could not be stored', WRITE_INTERVAL_MS / 1000]
        this.#options.log.warn(message, { err: error, detail: `it is repeated every ${seconds} s` })
      }
      this.#failing = !isOutage
    }
  }

  #grow(slot: number): void {
    const marked = new Float64Array(Math.max(2 * this.#marked.length, slot + 1, 64)).fill(NO_KEY)
    marked.set(this.#marked)
    this.#marked = marked
  }
}
