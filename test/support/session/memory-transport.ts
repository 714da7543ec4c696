// Two Transports joined in memory, for sessions without sockets. A message always arrives in a later turn of the event loop
// than the one in which it was sent. Faults (drop, duplicate, delay, cut, blackhole, limited capacity) depend on a seed.
// Independent of frames and sessions.

import { type Clock, systemClock } from '@vera-stack/shared/clock.ts'
import type { Transport, TransportReceiver } from '@vera-stack/shared/protocol/transport.ts'
import { seededRandom } from '../seeded-random.ts'
import { type LinkFaults, MemoryLink } from './memory-link.ts'

export interface MemoryTransportOptions {
  /** Faults of both directions. `aToB` and `bToA` replace them for one direction. */
  readonly faults?: Partial<LinkFaults>
  readonly aToB?: Partial<LinkFaults>
  readonly bToA?: Partial<LinkFaults>
  readonly seed?: number
  /** The clock for delays. */
  readonly clock?: Clock
}

const NO_FAULTS: LinkFaults = {
  wireCapacityBytes: 1 << 20,
  delayMs: [0, 0],
  dropRate: 0,
  duplicateRate: 0,
  cutAfterBytes: Number.POSITIVE_INFINITY,
  scribble: false,
}

type End = { clean: boolean; detail: string }

class MemoryTransport implements MemoryEnd {
  readonly #out: MemoryLink
  readonly #in: MemoryLink
  #receiver: TransportReceiver | undefined
  #ended: End | undefined

  constructor(out: MemoryLink, into: MemoryLink) {
    this.#out = out
    this.#in = into
  }

  get bufferedBytes(): number {
    return this.#out.queuedBytes
  }

  get receivedBytes(): number {
    return this.#in.receivedBytes
  }

  start(receiver: TransportReceiver): void {
    if (this.#receiver) throw new Error('start was called twice')
    this.#receiver = receiver
    this.#in.attach(receiver)
    if (this.#ended) this.#report(this.#ended)
  }

  send(message: Buffer, sent: () => void): void {
    this.#out.send(message, sent)
  }

  pause(): void {
    this.#in.hold({ paused: true })
  }

  resume(): void {
    this.#in.hold({ paused: false })
  }

  close(detail: string): void {
    this.#out.finish({ clean: true, detail })
  }

  terminate(): void {
    this.#out.finish({ clean: false, detail: 'terminated by the peer' })
    this.end({ clean: false, detail: 'terminated' })
  }

  /** Ends both directions for this end. Only the first call has an effect. */
  end(end: End): void {
    if (this.#ended) return
    this.#ended = end
    this.#in.stop()
    if (this.#receiver) this.#report(end)
  }

  #report(end: End): void {
    const receiver = this.#receiver!
    setImmediate(() => receiver.onClose(end))
  }
}

export interface MemoryEnd extends Transport {
  /** Stops reading at this end until `resume`. */
  pause(): void
  resume(): void
}

export interface MemoryTransportPair {
  readonly a: MemoryEnd
  readonly b: MemoryEnd
  /** Breaks the connection now. Both ends get an unclean close, and messages on the wire are lost. */
  cut(): void
  /** Drops everything in the given directions and notifies neither end. `false` ends this. */
  blackhole(on: boolean, direction?: 'a-to-b' | 'b-to-a'): void
  /** Delivers a message to an end as if the other end had sent it. */
  inject(to: 'a' | 'b', message: Buffer): void
}

export function memoryTransportPair(options: MemoryTransportOptions = {}): MemoryTransportPair {
  const clock = options.clock ?? systemClock
  const random = seededRandom(options.seed ?? 1)
  const cut = () => {
    for (const link of [aToB, bToA]) link.stop()
    for (const transport of [a, b]) transport.end({ clean: false, detail: 'connection reset' })
  }
  /** Handles a close that has arrived: the receiving end closes too, after the messages that it has queued. */
  const closed = (receiver: () => MemoryTransport) => (end: End) => {
    receiver().close(end.detail)
    receiver().end(end)
  }
  const aToB: MemoryLink = new MemoryLink(
    { ...NO_FAULTS, ...options.faults, ...options.aToB },
    {
      clock,
      random,
      onCut: cut,
      onClosed: closed(() => b),
    },
  )
  const bToA: MemoryLink = new MemoryLink(
    { ...NO_FAULTS, ...options.faults, ...options.bToA },
    {
      clock,
      random,
      onCut: cut,
      onClosed: closed(() => a),
    },
  )
  const a = new MemoryTransport(aToB, bToA)
  const b = new MemoryTransport(bToA, aToB)
  return {
    a,
    b,
    cut,
    blackhole(on, direction) {
      if (direction !== 'b-to-a') aToB.hold({ blackholed: on })
      if (direction !== 'a-to-b') bToA.hold({ blackholed: on })
    },
    inject: (to, message) => (to === 'b' ? aToB : bToA).inject(message),
  }
}
