// Captures exchanges and keeps them in memory, within the bounds of capture-rate.ts and exchange-ring.ts. The inspector of Plugboard and
// that of a Telephone are built on it.

import type { Clock, Timer } from '../clock.ts'
import type { Logger } from '../log.ts'
import { type MaskValue, valueMask } from '../masking/value-mask.ts'
import { CaptureRate } from './capture-rate.ts'
import type { CapturedExchange } from './captured-exchange.ts'
import { type CapturedRequest, ExchangeCapture } from './exchange-capture.ts'
import { ExchangeRing } from './exchange-ring.ts'

/** Time between two removals of exchanges that are too old, ms. */
const EXPIRY_MS = 600_000

export interface ExchangeKeeperOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly ring?: ExchangeRing
  /** Returns the id of a new exchange. */
  readonly nextId: () => string
  /** Called after an exchange was kept, or replaced by its end. `nowMs`: by the clock. */
  readonly onKept?: (exchange: CapturedExchange, nowMs: number) => void
}

export class ExchangeKeeper {
  readonly ring: ExchangeRing
  readonly #options: ExchangeKeeperOptions
  readonly #rate: CaptureRate
  #mask: MaskValue = valueMask()
  #expiry: Timer | undefined
  #stopped = false

  constructor(options: ExchangeKeeperOptions) {
    this.#options = options
    this.ring = options.ring ?? new ExchangeRing()
    this.#rate = new CaptureRate(options.clock)
  }

  /** Replaces the random key of the masks. Call it before the first capture. */
  maskWith(key: Buffer): void {
    this.#mask = valueMask(key)
  }

  /** Counts a capture of a client's request. Returns false when the limit of this second is reached. */
  admits(): boolean {
    return this.#rate.admitsCapture()
  }

  /** Begins to capture a request. The caller has checked `admits`. */
  begin(request: CapturedRequest): ExchangeCapture {
    const { nextId, log } = this.#options
    return new ExchangeCapture(nextId(), request, {
      memory: this.ring,
      mask: this.#mask,
      admitsBody: bytes => this.#rate.admitsBody(bytes),
      store: exchange => this.#keep(exchange),
      failed: error => log.error('exchange not kept', { err: error }),
    })
  }

  /** Removes all exchanges, and keeps no further ones. */
  stop(): void {
    this.#stopped = true
    this.#expiry?.cancel()
    this.ring.clear()
  }

  #keep(exchange: CapturedExchange): void {
    if (this.#stopped) return
    const { clock, onKept } = this.#options
    const nowMs = clock.now()
    this.ring.add(exchange, nowMs)
    this.#expiry ??= clock.after(EXPIRY_MS, () => this.#expire())
    onKept?.(exchange, nowMs)
  }

  #expire(): void {
    const { clock } = this.#options
    this.ring.expire(clock.now())
    this.#expiry = this.ring.size === 0 ? undefined : clock.after(EXPIRY_MS, () => this.#expire())
  }
}
