// One direction of a connection in memory: the queue of the sender, a wire with limited capacity and some latency, and a
// receiver that may pause. Messages keep their order with any delays, as on a WebSocket. A message is copied when it moves
// from the queue to the wire. Only after that may the sender change its buffer.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { TransportReceiver } from '@vera-stack/shared/protocol/transport.ts'
import { type Random, randomInteger } from '../seeded-random.ts'

export interface LinkFaults {
  /** Bytes that fit on the wire. Further bytes wait in the sender's `bufferedBytes`. */
  readonly wireCapacityBytes: number
  /** Each message takes a random time in [min, max], ms. [0, 0] means the next turn of the event loop. */
  readonly delayMs: readonly [min: number, max: number]
  /** Probability that a message is lost. A WebSocket never loses one; a broken peer can look like it. */
  readonly dropRate: number
  /** Probability that a message is delivered twice. */
  readonly duplicateRate: number
  /** Both ends lose the connection after this many bytes in this direction, also in the middle of a message. */
  readonly cutAfterBytes: number
  /** True to overwrite a message before its `sent` is called. A sender that still needs the content then fails. */
  readonly scribble: boolean
}

export interface LinkOwner {
  readonly clock: Clock
  readonly random: Random
  /** Called when `cutAfterBytes` is reached. */
  onCut(): void
  /** Called when the close has reached the receiver. */
  onClosed(end: { clean: boolean; detail: string }): void
}

/** An item on the wire. `close` and `cut` are the last item of a link. `cut` has the byte count of an incomplete message. */
type Parcel = { readonly dueMs: number } & (
  | { readonly kind: 'message'; readonly message: Buffer }
  | { readonly kind: 'close' }
  | { readonly kind: 'cut'; readonly bytes: number }
)
type Content = Parcel extends infer P ? (P extends Parcel ? Omit<P, 'dueMs'> : never) : never

export class MemoryLink {
  /** Bytes that were sent and are not on the wire yet. */
  queuedBytes = 0
  /** Bytes that have arrived, of complete and incomplete messages. */
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

  /** `paused`: the receiver does not read. `blackholed`: the wire drops everything, and neither end is notified. */
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

  /** Closes the sending end. A clean close follows the queued messages. An unclean close drops them. */
  finish(end: { clean: boolean; detail: string }): void {
    if (this.#stopped || this.#close) return
    this.#close = { ...end, onWire: false }
    if (!end.clean) this.#dropQueue()
    this.#askTurn()
  }

  /** Stops all deliveries. `sent` of the queued messages is still called. */
  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#wire.length = 0
    this.#dropQueue()
  }

  /** Puts a message on the wire that the sender has not sent. */
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
