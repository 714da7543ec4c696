// Watches that the peer is alive, and measures the round trip. Pings travel in the same order as everything
// else, so a pong proves the whole path. Any byte that arrives proves the peer's side of it: a slow link that
// is busy with a large body is not a dead one.

import type { Clock, Timer } from '../clock.ts'
import { PING_BYTES } from './wire/frame.ts'

export interface PingClockOptions {
  readonly clock: Clock
  readonly intervalMs: number
  /** Silence that counts as death, ms. Found at most one interval later. */
  readonly timeoutMs: number
  /** Bytes the transport has received so far. */
  readonly receivedBytes: () => number
  readonly ping: (opaque: Buffer) => void
  readonly onDead: () => void
  /** At each interval, with the bytes received so far. */
  readonly onTick?: (receivedBytes: number) => void
}

/** How long a smallest round trip is believed before newer ones alone count, ms. */
const SMALLEST_KEPT_MS = 300_000

export class PingClock {
  readonly #options: PingClockOptions
  #timer: Timer | undefined
  #heardBytes = 0
  #heardAtMs = 0
  #outstanding: Buffer | undefined
  /** Who has asked for the answer to the outstanding ping, and to no earlier one. */
  #onProved: (() => void) | undefined
  #sentAtMs = 0
  #rttMs: number | undefined
  // The smallest samples of this period and of the one before it.
  #periodStartMs = 0
  #smallestMs = Number.POSITIVE_INFINITY
  #smallestBeforeMs = Number.POSITIVE_INFINITY

  constructor(options: PingClockOptions) {
    this.#options = options
  }

  /** Smoothed round trip (RFC 6298: an eighth of each new sample), ms; undefined before the first pong. */
  get rttMs(): number | undefined {
    return this.#rttMs
  }

  /**
   * The round trip of the path alone, ms: the smallest of the last five to ten minutes. Under load the smoothed
   * one also holds the time spent in our own queues, and windows that grow by it would feed themselves.
   */
  get pathRttMs(): number {
    const smallest = Math.min(this.#smallestMs, this.#smallestBeforeMs)
    return Number.isFinite(smallest) ? smallest : 0
  }

  /** A probe is unanswered. */
  get probing(): boolean {
    return this.#onProved !== undefined
  }

  /** Pings now, whatever is unanswered. `onProved`: the whole path has worked since. Started clocks only. */
  probe(onProved: () => void): void {
    this.#onProved = onProved
    this.#sendPing()
  }

  start(): void {
    this.#heardAtMs = this.#options.clock.now()
    this.#heardBytes = this.#options.receivedBytes()
    this.#sendPing()
    this.#schedule()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#outstanding = undefined
    this.#onProved = undefined
  }

  /** A pong that answers no ping of ours is ignored. */
  pong(opaque: Buffer): void {
    if (this.#outstanding === undefined || !opaque.equals(this.#outstanding)) return
    this.#outstanding = undefined
    const sampleMs = this.#options.clock.now() - this.#sentAtMs
    this.#rttMs = this.#rttMs === undefined ? sampleMs : this.#rttMs + (sampleMs - this.#rttMs) / 8
    if (this.#sentAtMs - this.#periodStartMs > SMALLEST_KEPT_MS) {
      this.#periodStartMs = this.#sentAtMs
      this.#smallestBeforeMs = this.#smallestMs
      this.#smallestMs = sampleMs
    } else {
      this.#smallestMs = Math.min(this.#smallestMs, sampleMs)
    }
    const onProved = this.#onProved
    this.#onProved = undefined
    onProved?.()
  }

  /** Looks again after an interval, or when the silence would be over its limit. */
  #schedule(): void {
    const { clock, intervalMs, timeoutMs } = this.#options
    const leftMs = this.#heardAtMs + timeoutMs - clock.now()
    this.#timer = clock.after(Math.min(intervalMs, leftMs), () => this.#tick())
  }

  #tick(): void {
    const nowMs = this.#options.clock.now()
    const received = this.#options.receivedBytes()
    if (received !== this.#heardBytes) {
      this.#heardBytes = received
      this.#heardAtMs = nowMs
    } else if (nowMs - this.#heardAtMs >= this.#options.timeoutMs) {
      this.stop()
      this.#options.onDead()
      return
    }
    this.#options.onTick?.(received)
    // What a tick finds may end the session.
    if (this.#timer === undefined) return
    if (this.#outstanding === undefined) this.#sendPing()
    this.#schedule()
  }

  #sendPing(): void {
    this.#outstanding = Buffer.from(crypto.getRandomValues(new Uint8Array(PING_BYTES)))
    this.#sentAtMs = this.#options.clock.now()
    this.#options.ping(this.#outstanding)
  }
}
