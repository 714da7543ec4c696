// Checks that the peer is alive, and measures the round trip. Pings keep their place among the other frames, so a pong
// confirms the whole path. Any received byte confirms that the peer is alive, so that a slow link which is busy with a
// large body does not time out.

import type { Clock, Timer } from '../clock.ts'
import { PING_BYTES } from './wire/frame.ts'

export interface PingClockOptions {
  readonly clock: Clock
  readonly intervalMs: number
  /** Time without a received byte after which the peer counts as dead, ms. Detected at most one interval later. */
  readonly timeoutMs: number
  /** Returns the number of bytes that the transport has received so far. */
  readonly receivedBytes: () => number
  readonly ping: (opaque: Buffer) => void
  readonly onDead: () => void
  /** Called with each measured round trip, ms. */
  readonly onRoundTrip?: (sampleMs: number) => void
  /** Called at each interval with the number of bytes received so far. */
  readonly onTick?: (receivedBytes: number) => void
}

/** Length of one measuring period of the smallest round trip, ms. The current and the previous period count. */
const SMALLEST_KEPT_MS = 300_000

export class PingClock {
  readonly #options: PingClockOptions
  #timer: Timer | undefined
  #checkedBytes = 0
  #receivedAtMs = 0
  #outstanding: Buffer | undefined
  /** Callback for the pong of the outstanding ping. Pongs of earlier pings do not call it. */
  #onConfirmed: (() => void) | undefined
  #sentAtMs = 0
  #rttMs: number | undefined
  // The smallest samples of the current period and of the previous one.
  #periodStartMs = 0
  #smallestMs = Number.POSITIVE_INFINITY
  #smallestBeforeMs = Number.POSITIVE_INFINITY

  constructor(options: PingClockOptions) {
    this.#options = options
  }

  /** Smoothed round trip, ms (RFC 6298: each new sample has a weight of 1/8). Undefined before the first pong. */
  get rttMs(): number | undefined {
    return this.#rttMs
  }

  /**
   * The round trip of the path alone, ms: the smallest sample of the last five to ten minutes. Under load, the smoothed
   * round trip includes the time in local queues. Windows that grow by it would fill those queues further.
   */
  get pathRttMs(): number {
    const smallest = Math.min(this.#smallestMs, this.#smallestBeforeMs)
    return Number.isFinite(smallest) ? smallest : 0
  }

  /** True when a probe still waits for its pong. */
  get probing(): boolean {
    return this.#onConfirmed !== undefined
  }

  /**
   * Sends a ping now, even when an earlier ping still waits for its pong. Calls `onProved` when the pong of this ping
   * arrives, which shows that the whole path works. Call `start` first.
   */
  probe(onConfirmed: () => void): void {
    this.#onConfirmed = onConfirmed
    this.#sendPing()
  }

  start(): void {
    this.#receivedAtMs = this.#options.clock.now()
    this.#checkedBytes = this.#options.receivedBytes()
    this.#sendPing()
    this.#schedule()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#outstanding = undefined
    this.#onConfirmed = undefined
  }

  /** Handles a pong. Ignores it unless it belongs to the outstanding ping. */
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
    const onConfirmed = this.#onConfirmed
    this.#onConfirmed = undefined
    this.#options.onRoundTrip?.(sampleMs)
    onConfirmed?.()
  }

  /** Schedules the next check: after one interval, or at the timeout when that is earlier. */
  #schedule(): void {
    const { clock, intervalMs, timeoutMs } = this.#options
    const leftMs = this.#receivedAtMs + timeoutMs - clock.now()
    this.#timer = clock.after(Math.min(intervalMs, leftMs), () => this.#tick())
  }

  #tick(): void {
    const nowMs = this.#options.clock.now()
    const received = this.#options.receivedBytes()
    if (received !== this.#checkedBytes) {
      this.#checkedBytes = received
      this.#receivedAtMs = nowMs
    } else if (nowMs - this.#receivedAtMs >= this.#options.timeoutMs) {
      this.stop()
      this.#options.onDead()
      return
    }
    this.#options.onTick?.(received)
    // `onTick` may have ended the session and stopped this clock.
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
