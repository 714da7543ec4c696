// Shares the limits with `scope: cluster` among the replicas. Every 100 ms, each replica sends the totals that it has admitted, and
// a total of another replica counts here as debt: it moves the theoretical arrival time of the key forward. It has no sockets: the
// channel of a peer calls `open`, sends the messages that `pull` returns, and passes the received ones to `receive`.
//
//   limiter ──admitted──▶ due keys ──every 100 ms──▶ queue of each peer ──pull──▶ stream
//   stream ──receive──▶ debt in the table of the limiter

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Quota } from '../gcra.ts'
import type { LimitTable } from '../limit-table.ts'
import { PeerShare, type ShareStream } from './peer-share.ts'
import { reportThreshold, SharedKeys } from './shared-keys.ts'

/** Interval of the messages, ms. */
export const SHARE_INTERVAL_MS = 100
/** Time for which the totals of a replica without a stream are kept, ms. After a longer interruption, its debts are dropped. */
const KEPT_MS = 600_000
/** Most replicas without a stream whose totals are kept. */
const MAX_KEPT = 32

/** A limit, as far as the exchange needs it. */
export interface SharedQuota extends Quota {
  /** False: each replica counts for itself. */
  readonly shared: boolean
}

export interface ShareOpening extends ShareStream {
  readonly peerId: string
  /** Identifies the start of the replica. */
  readonly incarnation: string
}

interface KnownPeer {
  readonly incarnation: string
  readonly share: PeerShare
}

export class SharedBudgets {
  readonly #table: LimitTable
  readonly #clock: Clock
  readonly #keys: SharedKeys
  readonly #peers = new Map<string, KnownPeer>()
  /** Slots with enough unreported requests, each once. */
  #due: number[] = []
  #isDue = new Uint8Array(64)
  #open = 0
  #timer: Timer | undefined

  constructor({ table, clock }: { readonly table: LimitTable; readonly clock: Clock }) {
    this.#table = table
    this.#clock = clock
    this.#keys = new SharedKeys(table)
  }

  /** Records that the limit has admitted `cost` more for the key of the slot. The table already has the new total. */
  admitted(quota: SharedQuota, slot: number, cost: number): void {
    if (!quota.shared) return
    const [keys, total] = [this.#keys, this.#table.admitted(slot)]
    keys.enter(slot, total - cost)
    keys.setQuota(slot, quota)
    // A stream that opens later begins with all keys.
    if (this.#open === 0 || total - keys.reported(slot) < reportThreshold(quota.burst)) return
    if (slot >= this.#isDue.length) this.#grow(slot)
    if (this.#isDue[slot] === 1) return
    this.#isDue[slot] = 1
    this.#due.push(slot)
  }

  /** Begins the exchange with one start of a replica. The totals of the same start are kept from an earlier stream. */
  open({ peerId, incarnation, ...stream }: ShareOpening): PeerShare {
    const known = this.#peers.get(peerId)
    known?.share.close()
    const share = known?.incarnation === incarnation ? known.share : this.#newShare()
    this.#peers.set(peerId, { incarnation, share })
    share.open(stream)
    this.#open = this.#count()
    this.#timer ??= this.#clock.after(SHARE_INTERVAL_MS, () => this.#tick())
    return share
  }

  /** Closes all exchanges. */
  stop(): void {
    for (const { share } of this.#peers.values()) share.close()
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #newShare(): PeerShare {
    return new PeerShare({
      table: this.#table,
      keys: this.#keys,
      clock: this.#clock,
      replicas: () => 1 + this.#open,
    })
  }

  #tick(): void {
    this.#timer = undefined
    const peers = [...this.#peers.values()]
    this.#open = this.#count()
    for (const slot of this.#due) {
      this.#isDue[slot] = 0
      if (!this.#keys.isCurrent(slot)) continue
      this.#keys.setReported(slot, this.#table.admitted(slot))
      for (const { share } of peers) share.enqueue(slot)
    }
    this.#due = []
    this.#forgetPeers()
    if (this.#peers.size > 0) this.#timer = this.#clock.after(SHARE_INTERVAL_MS, () => this.#tick())
    for (const { share } of peers) share.flush()
  }

  #count(): number {
    let count = 0
    for (const { share } of this.#peers.values()) if (share.isOpen) count += 1
    return count
  }

  #forgetPeers(): void {
    const closed = [...this.#peers]
      .filter(([, { share }]) => !share.isOpen)
      .sort(([, left], [, right]) => left.share.closedForMs - right.share.closedForMs)
    for (const [index, [id, { share }]] of closed.entries()) {
      if (index >= MAX_KEPT || share.closedForMs > KEPT_MS) this.#peers.delete(id)
    }
  }

  #grow(slot: number): void {
    const isDue = new Uint8Array(Math.max(2 * this.#isDue.length, slot + 1))
    isDue.set(this.#isDue)
    this.#isDue = isDue
  }
}
