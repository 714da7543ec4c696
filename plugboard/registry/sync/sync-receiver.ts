// Receives a peer's lines over one link: it assembles updates from their parts, applies them to the peer's documents, and detects
// missing ones. All lines are stored under the replica that the link has authenticated. It asks for a missing shard at once, and
// repeats the request only after a delay. The owner's next summary shows any shard that is still missing.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { ReplicaId } from '../../common/ids/replica-id.ts'
import type { RemoteReplica } from '../documents/remote-replica.ts'
import type { ShardUpdate } from '../documents/shard-replica.ts'
import type { Incarnation } from '../incarnation.ts'
import { MalformedError } from '../wire/malformed.ts'
import { type DataSection, encodeWants, MAX_UPDATE_BYTES, type Message } from '../wire/message.ts'
import type { RegistryFollower } from './registry-follower.ts'

/** Shortest time before a request for a shard is repeated, ms. */
const RETRY_MS = 500

/** Memory of a part besides its bytes. */
const PART_OVERHEAD_BYTES = 256

/** Numbers of faults on the link. All stay 0 on a reliable link between correct replicas. */
export interface ExchangeFaults {
  /** Messages or updates that were malformed. */
  garbage: number
  /** Updates that arrived before an earlier update on which they depend. */
  gaps: number
  /** Summaries that disagreed with our copy of a shard at the same position. */
  mismatches: number
  /** Messages of an incarnation of the peer that a newer one has replaced. */
  stale: number
}

interface Assembly {
  readonly transfer: number
  readonly totalBytes: number
  readonly parts: Map<number, Uint8Array>
  bytes: number
}

export class SyncReceiver {
  readonly faults: ExchangeFaults = { garbage: 0, gaps: 0, mismatches: 0, stale: 0 }
  readonly #copy: ReturnType<RegistryFollower['attach']>
  readonly #clock: Clock
  readonly #assemblies = new Map<number, Assembly>()
  /** Shards to request with the next message. `#askedAtMs` has the time of the last request of a shard. */
  readonly #wanted = new Set<number>()
  readonly #askedAtMs = new Map<number, number>()
  #lastRound = 0
  /** The round of the summary that needs a response; 0: no summary. */
  #roundToResponse = 0
  #agrees = false

  constructor(follower: RegistryFollower, replicaId: ReplicaId, incarnation: Incarnation, clock: Clock) {
    this.#copy = follower.attach(replicaId, incarnation)
    this.#clock = clock
  }

  /** True when our copy matched the peer's last summary and no update has been found missing since. */
  get agrees(): boolean {
    return this.#agrees
  }

  get ready(): boolean {
    return this.#wanted.size > 0 || this.#roundToResponse > 0
  }

  receive(message: Message & { kind: 'summary' | 'data' }): void {
    const copy = this.#copy.current()
    if (copy === undefined) this.faults.stale += 1
    else if (message.kind === 'summary') this.#compare(message, copy)
    else for (const section of message.sections) this.#take(section, copy)
  }

  /** Returns the response to a summary or a request for missing shards; undefined when there is no message to send. */
  pull(): Uint8Array | undefined {
    if (!this.ready) return undefined
    const copy = this.#copy.current()
    if (copy === undefined) return undefined
    const wants = [...this.#wanted].map(shard => ({ shard, ...copy.position(shard) }))
    const nowMs = this.#clock.now()
    for (const shard of this.#wanted) this.#askedAtMs.set(shard, nowMs)
    const message = encodeWants(copy.incarnation, this.#roundToResponse, wants)
    this.#wanted.clear()
    this.#roundToResponse = 0
    return message
  }

  close(): void {
    this.#copy.release()
    this.#assemblies.clear()
  }

  #compare({ round, shards }: Message & { kind: 'summary' }, copy: RemoteReplica): void {
    // A late summary is outdated, because a newer one has arrived.
    if (round <= this.#lastRound) return
    this.#lastRound = round
    this.#roundToResponse = round
    this.#wanted.clear()
    const unknown = new Set(copy.shardNumbers())
    for (const { shard, epoch, seq, digest } of shards) {
      unknown.delete(shard)
      const position = copy.position(shard)
      // The copy is ahead, because updates have overtaken the summary.
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

  #take(section: DataSection, copy: RemoteReplica): void {
    const { shard, epoch, base, seq } = section
    const update = section.part === undefined ? section.bytes : this.#assemble(section)
    if (update === undefined) return
    const applied = copy.apply(shard, { epoch, base, seq, update } satisfies ShardUpdate)
    // A waiting request stays. Without it, the response to a summary would look like agreement.
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

  /** Returns the update when all its parts have arrived. A newer transfer of the shard replaces an unfinished one. */
  #assemble({ shard, part, bytes }: DataSection): Uint8Array | undefined {
    const { transfer, offset, totalBytes } = part!
    let assembly = this.#assemblies.get(shard)
    if (assembly !== undefined && assembly.transfer > transfer) return undefined
    if (assembly?.transfer !== transfer) {
      assembly = { transfer, totalBytes, parts: new Map(), bytes: 0 }
      this.#assemblies.set(shard, assembly)
    }
    if (assembly.parts.has(offset)) return undefined
    // Copies the part, because a view would keep its whole message in memory.
    assembly.parts.set(offset, Buffer.from(bytes))
    assembly.bytes += bytes.length
    if (this.#assembledBytes() > MAX_UPDATE_BYTES) {
      this.#assemblies.clear()
      throw new MalformedError(`unfinished updates exceed ${MAX_UPDATE_BYTES} bytes`)
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
