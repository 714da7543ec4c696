// One direction of a connection in memory: the sender's queue, a wire of limited capacity and some latency, and
// a receiver that may have paused. Messages keep their order whatever delays are drawn, as on a WebSocket.
// A message is copied when it moves from the queue to the wire: only then may the sender touch its buffer.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { TransportReceiver } from '@vera-stack/shared/protocol/transport.ts'
import { type Random, randomInteger } from '../seeded-random.ts'

export interface LinkFaults {
  /** Bytes that fit between the two ends; beyond that they wait in the sender's `bufferedBytes`. */
  readonly wireCapacityBytes: number
  /** Each message takes a time drawn from [min, max], in ms of the clock; [0, 0] is the next loop turn. */
  readonly delayMs: readonly [min: number, max: number]
  /** Chance that a message vanishes. A WebSocket never does that; a broken peer looks like it. */
  readonly dropRate: number
  /** Chance that a message comes twice. */
  readonly duplicateRate: number
  /** The connection breaks on both sides when this many bytes were sent this way, mid-message or not. */
  readonly cutAfterBytes: number
  /** Overwrites a message once its `sent` may run, to catch a sender that still counts on the content. */
  readonly scribble: boolean
}

export interface LinkOwner {
  readonly clock: Clock
  readonly random: Random
  /** `cutAfterBytes` is reached. */
  onCut(): void
  /** The close has reached the receiver. */
  onClosed(end: { clean: boolean; detail: string }): void
}

/** What travels. `close` and `cut` are the last of their link; `cut` counts the bytes of half a message. */
type Parcel = { readonly dueMs: number } & (
  | { readonly kind: 'message'; readonly message: Buffer }
  | { readonly kind: 'close' }
  | { readonly kind: 'cut'; readonly bytes: number }
)
type Content = Parcel extends infer P ? (P extends Parcel ? Omit<P, 'dueMs'> : never) : never

export class MemoryLink {
  /** Sent and not yet on the wire. */
  queuedBytes = 0
  /** Arrived, of whole and half messages. */
  receivedBytes = 0
  readonly #faults: LinkFaults
  readonly #owner: LinkOwner
  readonly #queue: { message: Buffer; sent: () => void }[] = []
  readonly #wire: Parcel[] = []
  #wireBytes = 0
  #lastDueMs = 0
  #sentBytes = 0
  #receiver: TransportReceiver | undefined
  #close: { clean: boolean; detail: string; onWire: boolean } | undefined
  #held = { paused: false, blackholed: false }
  #turnAsked = false
  #stopped = false

  constructor(faults: LinkFaults, owner: LinkOwner) {
    this.#faults = faults
    this.#owner = owner
  }

  attach(receiver: TransportReceiver): void {
    this.#receiver = receiver
    this.#askTurn()
  }

  /** `paused`: the receiver does not read. `blackholed`: the path swallows everything and nobody is told. */
  hold(change: { paused?: boolean; blackholed?: boolean }): void {
    this.#held = { ...this.#held, ...change }
    this.#askTurn()
  }

  send(message: Buffer, sent: () => void): void {
    if (this.#stopped || this.#close) {
      queueMicrotask(sent)
      return
    }
    this.#queue.push({ message, sent })
    this.queuedBytes += message.length
    this.#askTurn()
  }

  /** The sender closes: behind what it has queued when clean; otherwise its queue is lost. */
  finish(end: { clean: boolean; detail: string }): void {
    if (this.#stopped || this.#close) return
    this.#close = { ...end, onWire: false }
    if (!end.clean) this.#dropQueue()
    this.#askTurn()
  }

  /** Nothing arrives any more; `sent` of what was queued still runs. */
  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#wire.length = 0
    this.#dropQueue()
  }

  /** Puts a message on the wire that the sender never sent. */
  inject(message: Buffer): void {
    this.#putOnWire({ kind: 'message', message: Buffer.from(message) })
    this.#askTurn()
  }

  #askTurn(): void {
    if (this.#turnAsked || this.#stopped) return
    this.#turnAsked = true
    setImmediate(() => {
      this.#turnAsked = false
      if (this.#stopped) return
      this.#fillWire()
      this.#deliver()
    })
  }

  #fillWire(): void {
    while (this.#queue.length > 0) {
      const first = this.#queue[0]!
      if (this.#wireBytes > 0 && this.#wireBytes + first.message.length > this.#faults.wireCapacityBytes)
        return
      this.#queue.shift()
      this.queuedBytes -= first.message.length
      this.#carry(first.message)
      if (this.#faults.scribble) first.message.fill(0xee)
      first.sent()
      if (this.#stopped) return
    }
    if (!this.#close || this.#close.onWire) return
    this.#close.onWire = true
    this.#putOnWire({ kind: 'close' })
  }

  #carry(message: Buffer): void {
    const { cutAfterBytes, dropRate, duplicateRate } = this.#faults
    const bytesToCut = cutAfterBytes - this.#sentBytes
    this.#sentBytes += message.length
    if (bytesToCut <= 0) return
    if (message.length >= bytesToCut) {
      this.#putOnWire({ kind: 'cut', bytes: bytesToCut })
      return
    }
    if (dropRate > 0 && this.#owner.random() < dropRate) return
    const copies = duplicateRate > 0 && this.#owner.random() < duplicateRate ? 2 : 1
    for (let copy = 0; copy < copies; copy += 1) {
      this.#putOnWire({ kind: 'message', message: Buffer.from(message) })
    }
  }

  #putOnWire(content: Content): void {
    const [minMs, maxMs] = this.#faults.delayMs
    const drawnMs = this.#owner.clock.now() + randomInteger(this.#owner.random, minMs, maxMs)
    this.#lastDueMs = Math.max(this.#lastDueMs, drawnMs)
    this.#wire.push({ ...content, dueMs: this.#lastDueMs })
    if (content.kind === 'message') this.#wireBytes += content.message.length
  }

  #deliver(): void {
    for (;;) {
      const first = this.#wire[0]
      if (!first || !this.#receiver || this.#held.paused || this.#held.blackholed || this.#stopped) break
      const waitMs = first.dueMs - this.#owner.clock.now()
      if (waitMs > 0) {
        this.#owner.clock.after(waitMs, () => this.#askTurn())
        break
      }
      this.#wire.shift()
      if (first.kind === 'close') {
        this.stop()
        const { clean, detail } = this.#close!
        this.#owner.onClosed({ clean, detail })
        return
      }
      if (first.kind === 'cut') {
        this.receivedBytes += first.bytes
        this.#owner.onCut()
        return
      }
      this.#wireBytes -= first.message.length
      this.receivedBytes += first.message.length
      this.#receiver.onMessage(first.message)
    }
    if (this.#queue.length > 0 && this.#wireBytes < this.#faults.wireCapacityBytes) this.#askTurn()
  }

  #dropQueue(): void {
    for (const { sent } of this.#queue.splice(0)) queueMicrotask(sent)
    this.queuedBytes = 0
  }
}
