// One shard of another replica: a copy of its document and the lines in it. Applies updates strictly in order;
// what does not fit says so and changes nothing, so that nothing half-known piles up in the document. A new
// epoch is built beside the old document and then takes its place.

import type { ReplicaId } from '../../common/replica-id.ts'
import { type Line, sameLine } from '../line.ts'
import { lineHash, takeFromDigest } from '../wire/digest.ts'
import { MalformedError } from '../wire/malformed.ts'
import { packLine, type SharedStrings, unpackLine } from '../wire/packed-line.ts'
import { ClockList } from './clock-list.ts'
import { NOWHERE, type ShardPosition } from './own-shard.ts'
import { type EntryChanges, ShardReader } from './shard-document.ts'

export interface ShardUpdate {
  readonly epoch: number
  /** Least `seq` that it can be applied to; 0: the full state of the epoch. */
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

/** So that one replica cannot fill the memory of another. */
const MAX_SHARD_LINES = 262_144

export class ShardCopy {
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
   * `stale`: it says nothing new. `gap`: something before it is missing. Neither changes anything.
   * Throws MalformedError, after which the copy must be dropped.
   */
  apply(update: ShardUpdate): LineChanges | 'stale' | 'gap' {
    if (update.epoch < this.#epoch) return 'stale'
    if (update.epoch === this.#epoch && update.seq <= this.#seq) return 'stale'
    if (update.epoch > this.#epoch) return update.base === 0 ? this.#replace(update) : 'gap'
    if (this.#reader === undefined || update.base > this.#seq) return 'gap'
    const changes = this.#reader.apply(update.update)
    // Everything that can throw comes before the first change: whoever drops the copy must know its lines.
    const added = this.#unpack(changes)
    const removed = changes.removed.flatMap(range => this.#lines.removeRange(range.clock, range.len))
    for (const line of removed) this.#digest = takeFromDigest(this.#digest, packLine(line))
    this.#seq = update.seq
    return this.#settle(removed, added)
  }

  /** The next full state replaces this copy, whatever it claims to be; until then the lines stay. */
  distrust(): void {
    this.#epoch = 0
    this.#seq = 0
  }

  destroy(): void {
    this.#reader?.destroy()
    this.#reader = undefined
  }

  /** The document of another epoch, from its full state. Lines that are in both are not touched. */
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

  /** Takes the added lines in. One that was there before and says the same keeps its identity, and is no news. */
  #settle(removed: readonly Line[], added: readonly Added[]): LineChanges {
    const gone = new Map(removed.map(line => [line.id, line]))
    const put: Line[] = []
    for (const { clock, line, hash } of added) {
      const before = gone.get(line.id)
      gone.delete(line.id)
      const kept = before !== undefined && sameLine(before, line)
      this.#lines.append(clock, kept ? before : line)
      if (!kept) put.push(line)
      this.#digest = (this.#digest + hash) >>> 0
    }
    return { removed: [...gone.values()], put }
  }
}
