// One shard of another replica: a copy of its document and the lines in it. It applies updates strictly in order. An update
// that does not fit is reported and ignored, so that the document never holds partial state. The document of a new epoch is
// built beside the old one and then replaces it.

import type { ReplicaId } from '../../common/ids/replica-id.ts'
import { type Line, sameLine } from '../line.ts'
import { lineHash, takeFromDigest } from '../wire/digest.ts'
import { MalformedError } from '../wire/malformed.ts'
import { packLine, type SharedStrings, unpackLine } from '../wire/packed-line.ts'
import { ClockList } from './clock-list.ts'
import { type EntryChanges, ShardReader } from './shard-document.ts'
import { NOWHERE, type ShardPosition } from './shard-writer-state.ts'

export interface ShardUpdate {
  readonly epoch: number
  /** Lowest `seq` to which it can be applied; 0: it is the full state of the epoch. */
  readonly base: number
  readonly seq: number
  readonly update: Uint8Array
}

/** `put`: added or changed. */
export interface LineChanges {
  readonly removed: readonly Line[]
  readonly put: readonly Line[]
}

interface Added {
  readonly clock: number
  readonly line: Line
  readonly hash: number
}

/** Bounds the memory that one replica can use on another one. */
const MAX_SHARD_LINES = 262_144

export class ShardReplica {
  readonly #replicaId: ReplicaId
  readonly #strings: SharedStrings
  #reader: ShardReader | undefined
  #lines = new ClockList<Line>()
  #epoch = 0
  #seq = 0
  #digest = 0

  constructor(replicaId: ReplicaId, strings: SharedStrings) {
    this.#replicaId = replicaId
    this.#strings = strings
  }

  get position(): ShardPosition {
    return this.#reader === undefined || this.#epoch === 0
      ? NOWHERE
      : { epoch: this.#epoch, seq: this.#seq, clock: this.#reader.clock }
  }

  get digest(): number {
    return this.#digest
  }

  get stateBytes(): number {
    return this.#reader?.stateBytes ?? 0
  }

  lines(): readonly Line[] {
    return this.#lines.values()
  }

  /**
   * Applies an update. Returns `stale` for an update without news, and `gap` when an earlier update is missing; both leave the
   * shard unchanged. Throws MalformedError; the caller must then drop the copy.
   */
  apply(update: ShardUpdate): LineChanges | 'stale' | 'gap' {
    if (update.epoch < this.#epoch) return 'stale'
    if (update.epoch === this.#epoch && update.seq <= this.#seq) return 'stale'
    if (update.epoch > this.#epoch) return update.base === 0 ? this.#replace(update) : 'gap'
    if (this.#reader === undefined || update.base > this.#seq) return 'gap'
    const changes = this.#reader.apply(update.update)
    // All calls that can throw come before the first change, because a caller that drops the copy needs its lines.
    const added = this.#unpack(changes)
    const removed = changes.removed.flatMap(range => this.#lines.removeRange(range.clock, range.len))
    for (const line of removed) this.#digest = takeFromDigest(this.#digest, packLine(line))
    this.#seq = update.seq
    return this.#settle(removed, added)
  }

  /** Lets the next full state of any epoch replace this copy. The lines stay until then. */
  distrust(): void {
    this.#epoch = 0
    this.#seq = 0
  }

  destroy(): void {
    this.#reader?.destroy()
    this.#reader = undefined
  }

  /** Replaces the document with the full state of another epoch. Lines that are in both do not change. */
  #replace(update: ShardUpdate): LineChanges {
    const reader = new ShardReader()
    const added = this.#unpack(reader.apply(update.update))
    const removed = this.#lines.values()
    this.#reader?.destroy()
    this.#reader = reader
    this.#lines = new ClockList()
    this.#digest = 0
    this.#epoch = update.epoch
    this.#seq = update.seq
    return this.#settle(removed, added)
  }

  #unpack({ added }: EntryChanges): Added[] {
    if (this.#lines.size + added.length > MAX_SHARD_LINES)
      throw new MalformedError('too many lines in a shard')
    return added.map(({ clock, value }) => {
      const line = unpackLine(value, this.#replicaId, this.#strings)
      return { clock, line, hash: lineHash(value as string) }
    })
  }

  /** Stores the added lines. A line with the same values as before keeps its object, and is not reported as a change. */
  #settle(removed: readonly Line[], added: readonly Added[]): LineChanges {
    const unmatched = new Map(removed.map(line => [line.id, line]))
    const put: Line[] = []
    for (const { clock, line, hash } of added) {
      const before = unmatched.get(line.id)
      unmatched.delete(line.id)
      const kept = before !== undefined && sameLine(before, line)
      this.#lines.append(clock, kept ? before : line)
      if (!kept) put.push(line)
      this.#digest = (this.#digest + hash) >>> 0
    }
    return { removed: [...unmatched.values()], put }
  }
}
