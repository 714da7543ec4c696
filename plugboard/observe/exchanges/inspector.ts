// The inspector of this replica: begins captures, keeps the captured exchanges, and sends their summaries to viewers on all replicas.
// While no service is inspected, a request costs one comparison (proxy/capture/request-capture.ts).

import { type Clock, systemClock, type Timer } from '@vera-stack/shared/clock.ts'
import { type Logger, silentLogger } from '@vera-stack/shared/log.ts'
import { UuidV7 } from '../../common/ids/uuid-v7.ts'
import { type MaskValue, maskKeyOf, valueMask } from '../masking/value-mask.ts'
import { LiveFeeds } from '../stream/live-feeds.ts'
import type { Feed, FeedSink, ObserveSource } from '../stream/observe-source.ts'
import { CaptureRate } from './capture-rate.ts'
import type { CapturedExchange, ExchangeSummary } from './captured-exchange.ts'
import { type CapturedRequest, ExchangeCapture } from './exchange-capture.ts'
import { exchangeTest, readExchangeParams } from './exchange-filter.ts'
import { ExchangeRing } from './exchange-ring.ts'

/** Time between two removals of exchanges that are too old, ms. */
const EXPIRY_MS = 600_000

interface FeedItem {
  readonly serviceId: string
  readonly summary: ExchangeSummary
}

export class Inspector implements ObserveSource {
  readonly ring: ExchangeRing
  readonly #clock: Clock
  readonly #log: Logger
  readonly #ids: UuidV7
  readonly #feeds = new LiveFeeds<FeedItem>()
  readonly #rate: CaptureRate
  #mask: MaskValue = valueMask()
  #expiry: Timer | undefined
  #stopped = false

  constructor(clock: Clock = systemClock, log: Logger = silentLogger, ring = new ExchangeRing()) {
    this.#clock = clock
    this.#log = log
    this.#ids = new UuidV7(() => clock.wallTime())
    this.ring = ring
    this.#rate = new CaptureRate(clock)
  }

  /** Uses the mask key of the cluster, so that equal values have equal masks on all replicas. Call it before the first capture. */
  async joinCluster(clusterSecret: string): Promise<void> {
    this.#mask = valueMask(await maskKeyOf(clusterSecret))
  }

  /** Counts a capture of a client's request. Returns false when the limit of this second is reached. */
  admits(): boolean {
    return this.#rate.admitsCapture()
  }

  /** Begins to capture a request. The caller has checked rules, sample and `admits`. */
  begin(request: CapturedRequest): ExchangeCapture {
    return new ExchangeCapture(this.#ids.next(), request, {
      memory: this.ring,
      mask: this.#mask,
      admitsBody: bytes => this.#rate.admitsBody(bytes),
      store: exchange => this.#store(exchange),
      failed: error => this.#log.error('exchange not kept', { err: error }),
    })
  }

  /** `params`: ExchangeParams. */
  open(params: unknown, sink: FeedSink): Feed {
    const read = readExchangeParams(params)
    const test = exchangeTest(read)
    return this.#feeds.open(item => item.serviceId === read.serviceId && test(item.summary), sink)
  }

  /** Removes all exchanges. */
  stop(): void {
    this.#stopped = true
    this.#expiry?.cancel()
    this.ring.clear()
  }

  #store(exchange: CapturedExchange): void {
    if (this.#stopped) return
    const nowMs = this.#clock.now()
    this.ring.add(exchange, nowMs)
    this.#expiry ??= this.#clock.after(EXPIRY_MS, () => this.#expire())
    const { id, open, replayOf, request, serviceId } = exchange
    const summary = { id, open, replayOf, request }
    this.#feeds.publish({ serviceId, summary }, nowMs, () => summary)
  }

  #expire(): void {
    this.ring.expire(this.#clock.now())
    this.#expiry = this.ring.size === 0 ? undefined : this.#clock.after(EXPIRY_MS, () => this.#expire())
  }
}
