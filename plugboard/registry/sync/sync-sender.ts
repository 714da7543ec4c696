// Sends our lines to one peer. It has no queue: for each shard it keeps the position of the peer, and creates the next message
// when the link has room for it. A peer that reads slowly gets fewer and larger updates. At most one update that is longer than a
// message waits for it.
//
// Updates of a shard are sent only after the peer has responded to a summary, because the response has the peer's positions. A
// summary is sent when there is no update to send, so the peer agrees with it on a reliable link.

import { NOWHERE, type ShardPosition, type ShardWriterState } from '../documents/shard-writer-state.ts'
import { DataWriter, encodeSummary, type Message } from '../wire/message.ts'
import type { RegistryOwner } from './registry-owner.ts'

/** Shortest part, bytes. A shorter one waits for the next message. */
const MIN_PART_BYTES = 1024

interface Transfer {
  readonly shard: ShardWriterState
  readonly base: number
  readonly position: ShardPosition
  readonly update: Uint8Array
  readonly number: number
  sentBytes: number
}

/** The last summary. `upToDate` is true while no update was sent after it. */
interface Asked {
  readonly round: number
  readonly positions: ReadonlyMap<number, ShardPosition>
  upToDate: boolean
}

export class SyncSender {
  readonly #owner: RegistryOwner
  /** Position of the peer in each shard, by the updates that we have sent. Absent: unknown. */
  readonly #positions = new Map<number, ShardPosition>()
  readonly #behind = new Set<ShardWriterState>()
  #transfer: Transfer | undefined
  #summaryDue = true
  #asked: Asked | undefined
  /** True when the peer has responded to a summary. A shard that is not in `#positions` is then new to the peer. */
  #started = false
  #agreed = false

  constructor(owner: RegistryOwner) {
    this.#owner = owner
  }

  /** True when the peer has confirmed that it has all our lines, and no line has changed since. */
  get agreed(): boolean {
    return this.#agreed && this.#behind.size === 0
  }

  get ready(): boolean {
    return this.#transfer !== undefined || this.#behind.size > 0 || this.#summaryDue
  }

  changed(shards: readonly ShardWriterState[]): void {
    if (!this.#started) return
    for (const shard of shards) this.#resume(shard, this.#positions.get(shard.index) ?? NOWHERE)
  }

  askForAgreement(): void {
    this.#summaryDue = true
  }

  receive(message: Message & { kind: 'wants' }): void {
    for (const { shard: index, ...position } of message.wants) {
      const shard = this.#owner.shard(index)
      if (shard !== undefined) this.#resume(shard, position)
    }
    if (message.round !== this.#asked?.round) return
    if (!this.#started) this.#start(this.#asked)
    this.#agreed = message.wants.length === 0 && this.#asked.upToDate
  }

  /** Returns the next message; undefined when there is no message to send. */
  pull(): Uint8Array | undefined {
    if (this.#transfer !== undefined || this.#behind.size > 0) return this.#data()
    if (!this.#summaryDue) return undefined
    this.#summaryDue = false
    const shards = this.#owner.shards()
    const round = this.#owner.nextNumber()
    const positions = new Map(shards.map(shard => [shard.index, shard.position]))
    this.#asked = { round, positions, upToDate: true }
    return encodeSummary(
      this.#owner.incarnation,
      round,
      shards.map(shard => ({ shard: shard.index, ...shard.position, digest: shard.digest })),
    )
  }

  /** Sets the peer's positions to the summary, except for the shards that it requested. Later shards are new to the peer. */
  #start(asked: Asked): void {
    this.#started = true
    for (const shard of this.#owner.shards()) {
      const { index } = shard
      this.#resume(shard, this.#positions.get(index) ?? asked.positions.get(index) ?? NOWHERE)
    }
  }

  #resume(shard: ShardWriterState, position: ShardPosition): void {
    this.#positions.set(shard.index, position)
    if (samePosition(position, shard.position)) this.#behind.delete(shard)
    else this.#behind.add(shard)
  }

  #data(): Uint8Array {
    const writer = new DataWriter(this.#owner.incarnation)
    this.#agreed = false
    if (this.#asked !== undefined) this.#asked.upToDate = false
    for (;;) {
      const transfer = this.#transfer ?? this.#nextTransfer()
      if (transfer === undefined) break
      const restBytes = transfer.update.length - transfer.sentBytes
      if (writer.roomBytes < Math.min(restBytes, MIN_PART_BYTES)) {
        this.#transfer = transfer
        break
      }
      const partBytes = Math.min(restBytes, writer.roomBytes)
      const { shard, base, position, update, number } = transfer
      const whole = partBytes === update.length
      writer.add({
        shard: shard.index,
        epoch: position.epoch,
        base,
        seq: position.seq,
        part: whole ? undefined : { transfer: number, offset: transfer.sentBytes, totalBytes: update.length },
        bytes: update.subarray(transfer.sentBytes, transfer.sentBytes + partBytes),
      })
      transfer.sentBytes += partBytes
      this.#transfer = partBytes === restBytes ? undefined : transfer
    }
    return writer.finish()
  }

  #nextTransfer(): Transfer | undefined {
    for (const shard of this.#behind) {
      this.#behind.delete(shard)
      const from = this.#positions.get(shard.index) ?? NOWHERE
      const { position } = shard
      const number = this.#owner.nextNumber()
      this.#positions.set(shard.index, position)
      return { shard, ...shard.updateSince(from), position, number, sentBytes: 0 }
    }
    return undefined
  }
}

function samePosition(left: ShardPosition, right: ShardPosition): boolean {
  return left.epoch === right.epoch && left.seq === right.seq
}
