// The state of one incarnation of another replica: copies of its shards, and whether its lines are in the registry. The follower
// shows them while the lease is fresh. Hidden lines stay current, so that showing them again needs no transfer.

import type { ReplicaId } from '../../common/ids/replica-id.ts'
import type { Incarnation } from '../incarnation.ts'
import type { Line } from '../line.ts'
import type { Registry } from '../registry.ts'
import { MalformedError } from '../wire/malformed.ts'
import { SharedStrings } from '../wire/packed-line.ts'
import { type LineChanges, ShardReplica, type ShardUpdate } from './shard-replica.ts'
import { NOWHERE, type ShardPosition } from './shard-writer-state.ts'

/** `garbage`: the bytes were no valid update. The shard's document and lines were dropped, and its full state is needed. */
export type Applied = 'applied' | 'stale' | 'gap' | 'garbage'

export class RemoteReplica {
  readonly replicaId: ReplicaId
  readonly incarnation: Incarnation
  readonly #registry: Registry
  readonly #shards = new Map<number, ShardReplica>()
  readonly #strings = new SharedStrings()
  #shown = false
  #refusedLines = 0

  constructor(replicaId: ReplicaId, incarnation: Incarnation, registry: Registry) {
    this.replicaId = replicaId
    this.incarnation = incarnation
    this.#registry = registry
  }

  /** True between `show` and `hide`: its lines are in the registry. */
  get shown(): boolean {
    return this.#shown
  }

  /** Number of lines that were not shown because a third replica had a line with the same id. */
  get refusedLines(): number {
    return this.#refusedLines
  }

  get lineCount(): number {
    return [...this.#shards.values()].reduce((sum, shard) => sum + shard.lines().length, 0)
  }

  /** Bytes of all encoded documents. It encodes them at each call. */
  get stateBytes(): number {
    return [...this.#shards.values()].reduce((sum, shard) => sum + shard.stateBytes, 0)
  }

  apply(shard: number, update: ShardUpdate): Applied {
    const copy = this.#shards.get(shard) ?? new ShardReplica(this.replicaId, this.#strings)
    try {
      const changes = copy.apply(update)
      if (changes === 'stale' || changes === 'gap') return changes
      this.#shards.set(shard, copy)
      if (this.#shown) this.#present(changes)
      return 'applied'
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error
      this.drop(shard)
      return 'garbage'
    }
  }

  shardNumbers(): readonly number[] {
    return [...this.#shards.keys()]
  }

  position(shard: number): ShardPosition {
    return this.#shards.get(shard)?.position ?? NOWHERE
  }

  digest(shard: number): number {
    return this.#shards.get(shard)?.digest ?? 0
  }

  /** Lets the next full state replace the shard in any case. Its lines stay until then. */
  distrust(shard: number): void {
    this.#shards.get(shard)?.distrust()
  }

  drop(shard: number): void {
    const copy = this.#shards.get(shard)
    if (copy === undefined) return
    this.#shards.delete(shard)
    if (this.#shown) this.#present({ removed: copy.lines(), put: [] })
    copy.destroy()
  }

  show(): void {
    if (this.#shown) return
    this.#shown = true
    for (const shard of this.#shards.values()) this.#present({ removed: [], put: shard.lines() })
  }

  hide(): void {
    if (!this.#shown) return
    this.#shown = false
    for (const shard of this.#shards.values()) this.#present({ removed: shard.lines(), put: [] })
  }

  destroy(): void {
    this.hide()
    for (const shard of this.#shards.values()) shard.destroy()
    this.#shards.clear()
  }

  /** Applies changes to the registry, removals first, so that listeners never count more lines than exist. */
  #present({ removed, put }: LineChanges): void {
    for (const line of removed) this.#registry.removeRemote(line)
    for (const line of put) this.#show(line)
  }

  #show(line: Line): void {
    if (!this.#registry.putRemote(line)) this.#refusedLines += 1
  }
}
