// The inspector of this replica: captures and keeps exchanges, and sends their summaries to viewers on all replicas. While no service is
// inspected, a request costs one comparison (proxy/capture/request-capture.ts).

import { type Clock, systemClock } from '@vera-stack/shared/clock.ts'
import type { ExchangeSummary } from '@vera-stack/shared/inspect/captured-exchange.ts'
import type { CapturedRequest, ExchangeCapture } from '@vera-stack/shared/inspect/exchange-capture.ts'
import { ExchangeKeeper } from '@vera-stack/shared/inspect/exchange-keeper.ts'
import type { ExchangeRing } from '@vera-stack/shared/inspect/exchange-ring.ts'
import { type Logger, silentLogger } from '@vera-stack/shared/log.ts'
import { maskKeyOf } from '@vera-stack/shared/masking/value-mask.ts'
import { UuidV7 } from '../../common/ids/uuid-v7.ts'
import { LiveFeeds } from '../stream/live-feeds.ts'
import type { Feed, FeedSink, ObserveSource } from '../stream/observe-source.ts'
import { exchangeTest, readExchangeParams } from './exchange-filter.ts'

interface FeedItem {
  readonly serviceId: string
  readonly summary: ExchangeSummary
}

export class Inspector implements ObserveSource {
  readonly #feeds = new LiveFeeds<FeedItem>()
  readonly #keeper: ExchangeKeeper

  constructor(clock: Clock = systemClock, log: Logger = silentLogger, ring?: ExchangeRing) {
    const ids = new UuidV7(() => clock.wallTime())
    this.#keeper = new ExchangeKeeper({
      clock,
      log,
      ...(ring === undefined ? {} : { ring }),
      nextId: () => ids.next(),
      onKept: ({ id, open, replayOf, request, serviceId }, nowMs) => {
        const summary = { id, open, replayOf, request }
        this.#feeds.publish({ serviceId, summary }, nowMs, () => summary)
      },
    })
  }

  get ring(): ExchangeRing {
    return this.#keeper.ring
  }

  /** Uses the mask key of the cluster, so that equal values have equal masks on all replicas. Call it before the first capture. */
  async joinCluster(clusterSecret: string): Promise<void> {
    this.#keeper.maskWith(await maskKeyOf(clusterSecret))
  }

  /** Counts a capture of a client's request. Returns false when the limit of this second is reached. */
  admits(): boolean {
    return this.#keeper.admits()
  }

  /** Begins to capture a request. The caller has checked rules, sample and `admits`. */
  begin(request: CapturedRequest): ExchangeCapture {
    return this.#keeper.begin(request)
  }

  /** `params`: ExchangeParams. */
  open(params: unknown, sink: FeedSink): Feed {
    const read = readExchangeParams(params)
    const test = exchangeTest(read)
    return this.#feeds.open(item => item.serviceId === read.serviceId && test(item.summary), sink)
  }

  /** Removes all exchanges. */
  stop(): void {
    this.#keeper.stop()
  }
}
