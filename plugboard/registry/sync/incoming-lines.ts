// A peer's lines as they arrive over one link: puts updates together from their parts, applies them to the
// peer's documents, and finds out what is missing. Everything is filed under the replica that the link has
// authenticated, whatever the bytes say. What it lacks it wants, at once but not twice in a row: the owner's
// next summary brings up again whatever got lost.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { ReplicaId } from '../../common/replica-id.ts'
import type { Boot } from '../boot.ts'
import type { ReplicaCopy } from '../documents/replica-copy.ts'
import type { ShardUpdate } from '../documents/shard-copy.ts'
import { MalformedError } from '../wire/malformed.ts'
import { type DataSection, encodeWants, MAX_UPDATE_BYTES, type Message } from '../wire/message.ts'
import type { RegistryFollower } from './registry-follower.ts'

/** Time before an unanswered want is repeated on the next occasion, ms. */
const RETRY_MS = 500

/** What a part costs beside its bytes. */
const PART_OVERHEAD_BYTES = 256

/** What went wrong on the link so far. On an orderly link between sound replicas all stay 0. */
export interface ExchangeFaults {
  /** Bytes that were no message, or no update. */
  garbage: number
  /** Updates that came before what they build on. */
  gaps: number
  /** Summaries that disagreed with our copy of a shard at the same position. */
  mismatches: number
  /** Messages of a run of the peer that a newer one has replaced. */
  stale: number
}

interface Assembly {
  readonly transfer: number
  readonly totalBytes: number
  readonly parts: Map<number, Uint8Array>
  bytes: number
}

export class IncomingLines {
  readonly faults: ExchangeFaults = { garbage: 0, gaps: 0, mismatches: 0, stale: 0 }
  readonly #copy: ReturnType<RegistryFollower['attach']>
  readonly #clock: Clock
  readonly #assemblies = new Map<number, Assembly>()
  /** Shards to ask for with the next message, and when a shard was last asked for. */
  readonly #wanted = new Set<number>()
  readonly #askedAtMs = new Map<number, number>()
  #lastRound = 0
  /** The summary that waits for its answer; 0: none. */
  #roundToAnswer = 0
  #agrees = false

  constructor(follower: RegistryFollower, replicaId: ReplicaId, boot: Boot, clock: Clock) {
    this.#copy = follower.attach(replicaId, boot)
    this.#clock = clock
  }

  /** Our copy was the peer's last summary, and no update is known to be missing. */
  get agrees(): boolean {
    return this.#agrees
  }

  get ready(): boolean {
    return this.#wanted.size > 0 || this.#roundToAnswer > 0
  }

  receive(message: Message & { kind: 'summary' | 'data' }): void {
    const copy = this.#copy.current()
    if (copy === undefined) this.faults.stale += 1
    else if (message.kind === 'summary') this.#compare(message, copy)
    else for (const section of message.sections) this.#take(section, copy)
  }

  /** The answer to a summary, or what gaps have shown to be missing; undefined when there is nothing to ask. */
  pull(): Uint8Array | undefined {
    if (!this.ready) return undefined
    const copy = this.#copy.current()
    if (copy === undefined) return undefined
    const wants = [...this.#wanted].map(shard => ({ shard, ...copy.position(shard) }))
    const nowMs = this.#clock.now()
    for (const shard of this.#wanted) this.#askedAtMs.set(shard, nowMs)
    const message = encodeWants(copy.boot, this.#roundToAnswer, wants)
    this.#wanted.clear()
    this.#roundToAnswer = 0
    return message
  }

  close(): void {
    this.#copy.release()
    this.#assemblies.clear()
  }

  #compare({ round, shards }: Message & { kind: 'summary' }, copy: ReplicaCopy): void {
    // Late: what it says has been said again since.
    if (round <= this.#lastRound) return
    this.#lastRound = round
    this.#roundToAnswer = round
    this.#wanted.clear()
    const unknown = new Set(copy.shardNumbers())
    for (const { shard, epoch, seq, digest } of shards) {
      unknown.delete(shard)
      const position = copy.position(shard)
      // Ahead: the summary was overtaken by updates.
      if (position.epoch > epoch || (position.epoch === epoch && position.seq > seq)) continue
      const current = position.epoch === epoch && position.seq === seq
      if (current && digest === copy.digest(shard)) continue
      if (current) {
        this.faults.mismatches += 1
        copy.distrust(shard)
      }
      this.#wanted.add(shard)
    }
    for (const shard of unknown) copy.drop(shard)
    this.#agrees = this.#wanted.size === 0
  }

  #take(section: DataSection, copy: ReplicaCopy): void {
    const { shard, epoch, base, seq } = section
    const update = section.part === undefined ? section.bytes : this.#assemble(section)
    if (update === undefined) return
    const applied = copy.apply(shard, { epoch, base, seq, update } satisfies ShardUpdate)
    // A want that waits stays: the answer to a summary must not look like agreement with it.
    if (applied === 'applied') this.#askedAtMs.delete(shard)
    else if (applied === 'gap') {
      this.faults.gaps += 1
      this.#want(shard)
    } else if (applied === 'garbage') {
      this.faults.garbage += 1
      this.#want(shard)
    }
  }

  #want(shard: number): void {
    this.#agrees = false
    const askedAtMs = this.#askedAtMs.get(shard)
    if (askedAtMs === undefined || this.#clock.now() - askedAtMs >= RETRY_MS) this.#wanted.add(shard)
  }

  /** Returns the update once all its parts are here. A newer transfer of the shard replaces an unfinished one. */
  #assemble({ shard, part, bytes }: DataSection): Uint8Array | undefined {
    const { transfer, offset, totalBytes } = part!
    let assembly = this.#assemblies.get(shard)
    if (assembly !== undefined && assembly.transfer > transfer) return undefined
    if (assembly?.transfer !== transfer) {
      assembly = { transfer, totalBytes, parts: new Map(), bytes: 0 }
      this.#assemblies.set(shard, assembly)
    }
    if (assembly.parts.has(offset)) return undefined
    // A copy: a part would keep its whole message alive.
    assembly.parts.set(offset, Buffer.from(bytes))
    assembly.bytes += bytes.length
    if (this.#assembledBytes() > MAX_UPDATE_BYTES) {
      this.#assemblies.clear()
      throw new MalformedError('unfinished updates take too much room')
    }
    if (assembly.bytes < assembly.totalBytes) return undefined
    this.#assemblies.delete(shard)
    const parts = [...assembly.parts].sort(([left], [right]) => left - right)
    return Buffer.concat(parts.map(([, part]) => part))
  }

  #assembledBytes(): number {
    const all = [...this.#assemblies.values()]
    return all.reduce((sum, { bytes, parts }) => sum + bytes + parts.size * PART_OVERHEAD_BYTES, 0)
  }
}
