// The live log of this replica: sends the line of each finished request to the open feeds whose filter it passes. Without a feed,
// a request costs one comparison.

import { requestLine } from '@vera-stack/shared/inspect/request-line.ts'
import type { AccessFields } from '@vera-stack/shared/log.ts'
import { LiveFeeds } from '../stream/live-feeds.ts'
import type { Feed, FeedSink, ObserveSource } from '../stream/observe-source.ts'
import { readRequestFilter, requestTest } from './request-filter.ts'

export class LiveLog implements ObserveSource {
  readonly #replicaId: string
  readonly #feeds = new LiveFeeds<AccessFields>()

  constructor(replicaId: string) {
    this.#replicaId = replicaId
  }

  /** True while a feed is open. */
  get watched(): boolean {
    return this.#feeds.size > 0
  }

  /** `params`: a RequestFilter. */
  open(params: unknown, sink: FeedSink): Feed {
    return this.#feeds.open(requestTest(readRequestFilter(params)), sink)
  }

  /** `fields`: safe values. `nowMs`: time of the clock. */
  publish(fields: AccessFields, nowMs: number, wallTimeMs: number): void {
    this.#feeds.publish(fields, nowMs, () => requestLine(fields, wallTimeMs, this.#replicaId))
  }
}
