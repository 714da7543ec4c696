// The exchange of admitted totals with one other replica: the keys that are still to be sent to it, and the totals that it has reported. The
// totals only grow, so a message that is lost, repeated or late changes nothing: the next one has the whole total.
//
// A received total moves the theoretical arrival time of the key forward by the new part, the debt:
//
//   known total, same birth            debt = the difference
//   birth after the first contact      debt = the whole total: all of it is newer than the first contact
//   birth before the first contact     the total is of unknown age, so the key takes over the time of the sender, if it is later
//
// A debt from before the present stream may be so old that its quota is restored. It counts at most as much as the sender counts.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { type Quota, requestsAhead } from '../gcra.ts'
import type { LimitTable } from '../limit-table.ts'
import { decodeShare, MESSAGE_BYTES, type ShareEntry, ShareWriter } from './share-message.ts'
import type { SharedKeys } from './shared-keys.ts'
import { SlotQueue } from './slot-queue.ts'

/** Bytes of messages for one peer in one interval: 0.98 MB in a second, with the frames around them less than 1 MB. */
const BYTES_PER_INTERVAL = 98_000
/** The length in front of a message on the stream. */
const LENGTH_BYTES = 4
/** Time after which an empty message is sent, ms. It shows that the stream works. */
const HEARTBEAT_MS = 1000
/** Requests of three intervals count beyond each bound of the debt, ms, because a quota may allow many bursts in an interval. */
const STALE_MS = 300

export interface PeerShareOptions {
  readonly table: LimitTable
  readonly keys: SharedKeys
  readonly clock: Clock
  /** Returns the number of replicas that count together, with this one. */
  readonly replicas: () => number
}

export interface ShareStream {
  /** Called when `pull` has a message. */
  readonly onReady: () => void
  /** Called for a malformed message, which changes no count. It is a bug on one end. */
  readonly onFault: () => void
}

export class PeerShare {
  readonly #options: PeerShareOptions
  readonly #queue = new SlotQueue()
  readonly #writer = new ShareWriter()
  /** By slot: the birth of the key in this table, and the stream, the birth and the total of the last entry of the peer. */
  #ownBirths = new Float64Array(0)
  #streams = new Uint32Array(0)
  #births = new Float64Array(0)
  #totals = new Float64Array(0)
  /** The highest birth of a key at the peer before the first contact; undefined before the first message. */
  #contact: number | undefined
  #since = 0
  #stream: ShareStream | undefined
  /** The number of the present stream. */
  #streamNumber = 0
  #budget = 0
  #sentAtMs = Number.NEGATIVE_INFINITY
  #receivedAtMs: number | undefined
  #closedAtMs = 0

  constructor(options: PeerShareOptions) {
    this.#options = options
  }

  /** True while there is a stream. */
  get isOpen(): boolean {
    return this.#stream !== undefined
  }

  /** Time since the last message of the peer, ms; undefined: there was none. */
  get ageMs(): number | undefined {
    if (this.#receivedAtMs === undefined) return undefined
    return this.#options.clock.now() - this.#receivedAtMs
  }

  /** Time since the stream was closed, ms; 0 while it is open. */
  get closedForMs(): number {
    return this.isOpen ? 0 : this.#options.clock.now() - this.#closedAtMs
  }

  /** Begins to send, first each key whose burst is not whole. */
  open(stream: ShareStream): void {
    const { table, keys, clock } = this.#options
    this.#stream = stream
    this.#streamNumber += 1
    this.#receivedAtMs = undefined
    this.#since = keys.births
    this.#sentAtMs = Number.NEGATIVE_INFINITY
    this.#budget = BYTES_PER_INTERVAL
    const nowMs = clock.now()
    for (let slot = 0; slot < table.size; slot += 1) {
      if (table.fullAtMs(slot) > nowMs && keys.isCurrent(slot)) this.#queue.push(slot)
    }
  }

  close(): void {
    if (!this.isOpen) return
    this.#stream = undefined
    this.#closedAtMs = this.#options.clock.now()
    this.#queue.clear()
  }

  /** Adds a key to send. */
  enqueue(slot: number): void {
    if (this.isOpen) this.#queue.push(slot)
  }

  /** Begins an interval, with a new budget of bytes. */
  flush(): void {
    this.#budget = BYTES_PER_INTERVAL
    if (this.#hasMessage()) this.#stream?.onReady()
  }

  /** Returns the next message. Undefined: no message is due, or the bytes of this interval are used up. */
  pull(): Uint8Array | undefined {
    if (!this.#hasMessage()) return undefined
    const { table, keys, clock } = this.#options
    const [queue, writer, nowMs] = [this.#queue, this.#writer, clock.now()]
    const maxBytes = Math.min(MESSAGE_BYTES, this.#budget - LENGTH_BYTES)
    writer.begin(this.#since)
    if (queue.size > 0 && !writer.hasRoom(maxBytes)) return undefined
    while (queue.size > 0 && writer.hasRoom(maxBytes)) {
      const slot = queue.shift()
      // The table may have given the slot to another key.
      if (!keys.isCurrent(slot)) continue
      const [quota, total] = [keys.select(slot), table.admitted(slot)]
      const ahead = requestsAhead(table.fullAtMs(slot), nowMs, quota)
      writer.add(keys.key(slot), quota, keys.birth(slot), total, ahead)
    }
    this.#sentAtMs = nowMs
    this.#budget -= LENGTH_BYTES + writer.length
    return writer.finish()
  }

  /** Applies a message of the peer. */
  receive(bytes: Uint8Array): void {
    const message = decodeShare(bytes)
    if (message === undefined) {
      this.#stream?.onFault()
      return
    }
    const nowMs = this.#options.clock.now()
    this.#receivedAtMs = nowMs
    this.#contact ??= message.since
    for (const entry of message.entries) this.#apply(entry, message.since, nowMs)
  }

  #hasMessage(): boolean {
    return this.isOpen && (this.#queue.size > 0 || this.#options.clock.now() - this.#sentAtMs >= HEARTBEAT_MS)
  }

  /** `since`: the highest birth of a key at the peer before the stream. */
  #apply(entry: ShareEntry, since: number, nowMs: number): void {
    const { table, keys } = this.#options
    const found = table.find(entry.key)
    if (found === -1 && entry.total === 0 && entry.ahead === 0) return
    const slot = found === -1 ? table.add(entry.key, nowMs) : found
    keys.enter(slot, table.admitted(slot))
    if (!keys.isCurrent(slot)) keys.setQuota(slot, entry.quota)
    const [isKnown, quota] = [this.#isKnown(slot), keys.select(slot)]
    const birth = this.#births[slot] as number
    if (isKnown && entry.birth < birth) return
    const [fullAtMs, aheadMs] = [table.fullAtMs(slot), entry.ahead * entry.quota.intervalMs]
    if (isKnown && entry.birth === birth) {
      const debt = entry.total - (this.#totals[slot] as number)
      const isRecent = this.#streams[slot] === this.#streamNumber
      this.#streams[slot] = this.#streamNumber
      if (debt <= 0) return
      const debtMs = isRecent
        ? debt * quota.intervalMs
        : Math.min(debt * quota.intervalMs, aheadMs + STALE_MS)
      table.setFullAtMs(slot, this.#indebted(fullAtMs, nowMs, debtMs, quota))
    } else if (entry.birth > (this.#contact as number)) {
      const totalMs = entry.total * quota.intervalMs
      const debtMs = entry.birth > since ? totalMs : Math.min(totalMs, aheadMs + STALE_MS)
      table.setFullAtMs(slot, this.#indebted(fullAtMs, nowMs, debtMs, quota))
    } else {
      table.setFullAtMs(slot, Math.max(fullAtMs, nowMs + Math.min(aheadMs, this.#mostAheadMs(quota))))
    }
    this.#ownBirths[slot] = keys.birth(slot)
    this.#streams[slot] = this.#streamNumber
    this.#births[slot] = entry.birth
    this.#totals[slot] = entry.total
  }

  #indebted(fullAtMs: number, nowMs: number, debtMs: number, quota: Quota): number {
    const fromMs = Math.max(fullAtMs, nowMs)
    return Math.max(fromMs, Math.min(fromMs + debtMs, nowMs + this.#mostAheadMs(quota)))
  }

  /** Returns the bound: the own burst, a debt of one burst for each other replica, and the requests of a few intervals. */
  #mostAheadMs({ intervalMs, burst }: Quota): number {
    return this.#options.replicas() * burst * intervalMs + STALE_MS
  }

  /** True when the peer has reported the key of the slot before. Makes room for the slot. */
  #isKnown(slot: number): boolean {
    if (slot >= this.#totals.length) {
      const capacity = Math.max(2 * this.#totals.length, slot + 1, 64)
      this.#ownBirths = grown(this.#ownBirths, capacity)
      this.#births = grown(this.#births, capacity)
      const streams = new Uint32Array(capacity)
      streams.set(this.#streams)
      this.#streams = streams
      this.#totals = grown(this.#totals, capacity)
    }
    // Births begin at 1.
    return this.#ownBirths[slot] === this.#options.keys.birth(slot)
  }
}

function grown(before: Float64Array<ArrayBuffer>, capacity: number): Float64Array<ArrayBuffer> {
  const after = new Float64Array(capacity)
  after.set(before)
  return after
}
