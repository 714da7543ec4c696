// Our own lines, for the other replicas: follows the local registry, takes the lines that are ours and no others
// (what a replica heard from a second one it never tells a third), spreads them over shards by tunnel, and
// writes what one turn of the event loop has changed as one update per shard. It knows no peer.

import type { ReplicaId } from '../../common/replica-id.ts'
import type { Boot } from '../boot.ts'
import { type CompactionLimits, OwnShard } from '../documents/own-shard.ts'
import type { Line } from '../line.ts'
import type { Registry } from '../registry.ts'
import { lineHash } from '../wire/digest.ts'

/** Enough that building one anew stays a matter of milliseconds with 100,000 lines on one replica. */
const DEFAULT_SHARD_COUNT = 32
/** Changes written in one turn; more wait for the next one, so that thousands at once do not stop the loop. */
const CHANGES_PER_TURN = 2000

export interface RegistryOwnerOptions {
  readonly registry: Registry
  readonly replicaId: ReplicaId
  readonly boot: Boot
  /** Runs a task once, after this turn of the event loop. Default: setImmediate. */
  readonly defer?: (task: () => void) => void
  /** 1 to 256. */
  readonly shardCount?: number
  readonly compaction?: CompactionLimits
  /** Told of a line that is too long for the others, and left out. */
  readonly onUnfit?: (line: Line) => void
}

export class RegistryOwner {
  readonly replicaId: ReplicaId
  readonly boot: Boot
  readonly #shards = new Map<number, OwnShard>()
  readonly #shardCount: number
  readonly #compaction: CompactionLimits | undefined
  readonly #onUnfit: ((line: Line) => void) | undefined
  readonly #defer: (task: () => void) => void
  readonly #listeners = new Set<(changed: readonly OwnShard[]) => void>()
  readonly #unflushed = new Set<OwnShard>()
  readonly #unsubscribe: () => void
  #lastNumber = 0
  #closed = false

  constructor(options: RegistryOwnerOptions) {
    this.replicaId = options.replicaId
    this.boot = options.boot
    this.#shardCount = options.shardCount ?? DEFAULT_SHARD_COUNT
    this.#compaction = options.compaction
    this.#onUnfit = options.onUnfit
    this.#defer = options.defer ?? (task => void setImmediate(task))
    const set = (line: Line): void => {
      if (line.replicaId === this.replicaId) this.#touch(line).set(line)
    }
    this.#unsubscribe = options.registry.subscribe({
      lineAdded: set,
      lineChanged: set,
      lineRemoved: line => {
        if (line.replicaId === this.replicaId) this.#touch(line).delete(line.id)
      },
    })
    for (const line of options.registry.lines()) set(line)
  }

  /** The shards that have ever held a line. */
  shards(): OwnShard[] {
    return [...this.#shards.values()].filter(shard => shard.position.seq > 0)
  }

  shard(index: number): OwnShard | undefined {
    const shard = this.#shards.get(index)
    return shard === undefined || shard.position.seq === 0 ? undefined : shard
  }

  /** Told after each flush. Returns the way to unsubscribe. */
  subscribe(listener: (changed: readonly OwnShard[]) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Numbers summaries and transfers of this boot, over all links, so that what comes late is known for it. */
  nextNumber(): number {
    this.#lastNumber += 1
    return this.#lastNumber
  }

  close(): void {
    this.#closed = true
    this.#unsubscribe()
    this.#listeners.clear()
    this.#unflushed.clear()
    for (const shard of this.#shards.values()) shard.destroy()
    this.#shards.clear()
  }

  #touch(line: Line): OwnShard {
    const index = lineHash(line.tunnelId) % this.#shardCount
    let shard = this.#shards.get(index)
    if (shard === undefined) {
      shard = new OwnShard(index, this.#compaction, this.#onUnfit)
      this.#shards.set(index, shard)
    }
    if (this.#unflushed.size === 0) this.#defer(() => this.#flush())
    this.#unflushed.add(shard)
    return shard
  }

  #flush(): void {
    if (this.#closed) return
    const changed: OwnShard[] = []
    let changeCount = 0
    for (const shard of this.#unflushed) {
      if (changeCount >= CHANGES_PER_TURN) break
      this.#unflushed.delete(shard)
      changeCount += shard.pendingCount
      if (shard.flush()) changed.push(shard)
    }
    if (this.#unflushed.size > 0) this.#defer(() => this.#flush())
    if (changed.length === 0) return
    for (const listener of this.#listeners) listener(changed)
  }
}
