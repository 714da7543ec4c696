// One shard of this replica's lines: a plain Map with the current lines, and the document that replicates them. Deleted entries
// leave tombstones in any CRDT, so after a number of operations the document is rebuilt under the next epoch. A rebuild loses no
// data, because the Map is the source of truth.

import type { Line } from '../line.ts'
import type { LineId } from '../line-ids.ts'
import { addToDigest, takeFromDigest } from '../wire/digest.ts'
import { MAX_PACKED_LENGTH, packLine } from '../wire/packed-line.ts'
import { ShardWriter } from './shard-document.ts'

/** The position of a reader in a shard. Epoch 0: the reader has no state. */
export interface ShardPosition {
  readonly epoch: number
  /** Number of updates within the epoch, one per flush. */
  readonly seq: number
  /** Clock of the document after update `seq`. */
  readonly clock: number
}

export const NOWHERE: ShardPosition = { epoch: 0, seq: 0, clock: 0 }

/** A document is rebuilt when its operations exceed `perLine` × live lines + `floor`. */
export interface CompactionLimits {
  readonly perLine: number
  readonly floor: number
}

const DEFAULT_COMPACTION: CompactionLimits = { perLine: 8, floor: 2000 }

interface Entry {
  readonly packed: string
  clock: number
}

export class ShardWriterState {
  readonly index: number
  readonly #compaction: CompactionLimits
  readonly #onUnfit: (line: Line) => void
  readonly #entries = new Map<LineId, Entry>()
  /** Changes since the last flush; undefined: the line was removed. */
  readonly #pending = new Map<LineId, Line | undefined>()
  #writer = new ShardWriter()
  #operations = 0
  #position: ShardPosition = { epoch: 1, seq: 0, clock: 0 }
  /** The update from the previous position to the current one. The first update of an epoch is its full state. */
  #latestUpdate: Uint8Array = new Uint8Array()
  #digest = 0

  /** Calls `onUnfit` with a line that is too long for readers, and leaves it out, so that the other lines are not affected. */
  constructor(
    index: number,
    compaction: CompactionLimits = DEFAULT_COMPACTION,
    onUnfit: (line: Line) => void = () => undefined,
  ) {
    this.index = index
    this.#compaction = compaction
    this.#onUnfit = onUnfit
  }

  get position(): ShardPosition {
    return this.#position
  }

  get digest(): number {
    return this.#digest
  }

  /** Number of lines that the next flush checks. */
  get pendingCount(): number {
    return this.#pending.size
  }

  set(line: Line): void {
    this.#pending.set(line.id, line)
  }

  delete(id: LineId): void {
    this.#pending.set(id, undefined)
  }

  /** Writes the changes since the last flush as one update. Returns false without changes. */
  flush(): boolean {
    const removedClocks: number[] = []
    const added: Entry[] = []
    for (const [id, line] of this.#pending) {
      const before = this.#entries.get(id)
      const packed = line === undefined ? undefined : this.#pack(line)
      if (packed === before?.packed) continue
      if (before !== undefined) {
        removedClocks.push(before.clock)
        this.#digest = takeFromDigest(this.#digest, before.packed)
        this.#entries.delete(id)
      }
      if (packed !== undefined) {
        const entry = { packed, clock: 0 }
        added.push(entry)
        this.#digest = addToDigest(this.#digest, packed)
        this.#entries.set(id, entry)
      }
    }
    this.#pending.clear()
    if (removedClocks.length === 0 && added.length === 0) return false
    this.#operations += removedClocks.length + added.length
    if (this.#operations > this.#compaction.perLine * this.#entries.size + this.#compaction.floor)
      this.#rebuild()
    else this.#write(this.#position.epoch, this.#position.seq + 1, removedClocks, added)
    return true
  }

  /** Returns the update from `from` to the current position. `base` is the lowest `seq` to which it can be applied. */
  updateSince(from: ShardPosition): { base: number; update: Uint8Array } {
    const { epoch, seq } = this.#position
    if (from.epoch === epoch && from.seq === seq - 1 && seq > 1)
      return { base: from.seq, update: this.#latestUpdate }
    if (from.epoch !== epoch || from.seq > seq || from.seq === 0 || from.clock > this.#position.clock)
      return { base: 0, update: seq === 1 ? this.#latestUpdate : this.#writer.stateSince(0) }
    return { base: from.seq, update: this.#writer.stateSince(from.clock) }
  }

  destroy(): void {
    this.#writer.destroy()
  }

  #pack(line: Line): string | undefined {
    const packed = packLine(line)
    if (packed.length <= MAX_PACKED_LENGTH) return packed
    this.#onUnfit(line)
    return undefined
  }

  #rebuild(): void {
    this.#writer.destroy()
    this.#writer = new ShardWriter()
    this.#operations = 0
    this.#write(this.#position.epoch + 1, 1, [], [...this.#entries.values()])
  }

  #write(epoch: number, seq: number, removedClocks: readonly number[], added: readonly Entry[]): void {
    let clock = this.#writer.clock
    for (const entry of added) entry.clock = clock++
    const packed = added.map(entry => entry.packed)
    this.#latestUpdate =
      removedClocks.length + packed.length === 0
        ? this.#writer.stateSince(0)
        : this.#writer.write(removedClocks, packed)
    this.#position = { epoch, seq, clock }
  }
}
