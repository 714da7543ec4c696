// Prepares the lines of this replica for the other replicas. It follows the local registry and takes only our own lines, so a
// replica never passes lines of a second replica on to a third one. It distributes them over shards by tunnel, and writes the
// changes of one turn of the event loop as one update per shard. It has no reference to peers.

import type { ReplicaId } from '../../common/ids/replica-id.ts'
import { type CompactionLimits, ShardWriterState } from '../documents/shard-writer-state.ts'
import type { Incarnation } from '../incarnation.ts'
import type { Line } from '../line.ts'
import type { Registry } from '../registry.ts'
import { lineHash } from '../wire/digest.ts'

/** With this number, the rebuild of one shard takes milliseconds, even with 100,000 lines on one replica. */
const DEFAULT_SHARD_COUNT = 32
/** Most changes in one turn. Further ones wait for the next turn, so that thousands of changes do not block the event loop. */
const CHANGES_PER_TURN = 2000

export interface RegistryOwnerOptions {
  readonly registry: Registry
  readonly replicaId: ReplicaId
  readonly incarnation: Incarnation
  /** Runs a task once, after this turn of the event loop. Default: setImmediate. */
  readonly defer?: (task: () => void) => void
  /** 1 to 256. */
  readonly shardCount?: number
  readonly compaction?: CompactionLimits
  /** Called with a line that is too long for the other replicas and is left out. */
  readonly onUnfit?: (line: Line) => void
}

export class RegistryOwner {
  readonly replicaId: ReplicaId
  readonly incarnation: Incarnation
  readonly #shards = new Map<number, ShardWriterState>()
  readonly #shardCount: number
  readonly #compaction: CompactionLimits | undefined
  readonly #onUnfit: ((line: Line) => void) | undefined
  readonly #defer: (task: () => void) => void
  readonly #listeners = new Set<(changed: readonly ShardWriterState[]) => void>()
  readonly #unflushed = new Set<ShardWriterState>()
  readonly #unsubscribe: () => void
  #lastNumber = 0
  #closed = false

  constructor(options: RegistryOwnerOptions) {
    this.replicaId = options.replicaId
    this.incarnation = options.incarnation
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

  /** Returns the shards that have held a line since the start. */
  shards(): ShardWriterState[] {
    return [...this.#shards.values()].filter(shard => shard.position.seq > 0)
  }

  shard(index: number): ShardWriterState | undefined {
    const shard = this.#shards.get(index)
    return shard === undefined || shard.position.seq === 0 ? undefined : shard
  }

  /** Calls `listener` after each flush with changes. Returns a function that unsubscribes. */
  subscribe(listener: (changed: readonly ShardWriterState[]) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Returns the next number for a summary or transfer, over all links, so that a receiver can detect late messages. */
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

  #touch(line: Line): ShardWriterState {
    const index = lineHash(line.tunnelId) % this.#shardCount
    let shard = this.#shards.get(index)
    if (shard === undefined) {
      shard = new ShardWriterState(index, this.#compaction, this.#onUnfit)
      this.#shards.set(index, shard)
    }
    if (this.#unflushed.size === 0) this.#defer(() => this.#flush())
    this.#unflushed.add(shard)
    return shard
  }

  #flush(): void {
    if (this.#closed) return
    const changed: ShardWriterState[] = []
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
