// The live log of this replica: sends the line of each finished request to the open feeds whose filter it passes. Without a feed,
// a request costs one comparison. All feeds together get at most 1,000 lines in a second, in equal parts.

import type { AccessFields } from '@vera-stack/shared/log.ts'
import type { Feed, FeedSink, ObserveSource } from '../stream/observe-source.ts'
import { type RequestTest, readRequestFilter, requestTest } from './request-filter.ts'
import { requestLine } from './request-line.ts'

export const MAX_LINES_PER_SECOND = 1000
const SECOND_MS = 1000

interface LiveFeed extends Feed {
  readonly test: RequestTest
  readonly sink: FeedSink
  /** Lines in the present second. */
  sent: number
}

export class LiveLog implements ObserveSource {
  readonly #replicaId: string
  readonly #feeds: LiveFeed[] = []
  #secondStartMs = Number.NEGATIVE_INFINITY

  constructor(replicaId: string) {
    this.#replicaId = replicaId
  }

  /** True while a feed is open. */
  get watched(): boolean {
    return this.#feeds.length > 0
  }

  /** `params`: a RequestFilter. */
  open(params: unknown, sink: FeedSink): Feed {
    const test = requestTest(readRequestFilter(params))
    const feed: LiveFeed = { test, sink, sent: 0, close: () => this.#close(feed) }
    this.#feeds.push(feed)
    return feed
  }

  /** `fields`: safe values. `nowMs`: time of the clock. */
  publish(fields: AccessFields, nowMs: number, wallTimeMs: number): void {
    if (nowMs - this.#secondStartMs >= SECOND_MS) {
      this.#secondStartMs = nowMs
      for (const feed of this.#feeds) feed.sent = 0
    }
    const share = Math.max(1, Math.floor(MAX_LINES_PER_SECOND / this.#feeds.length))
    let line: object | undefined
    for (const feed of this.#feeds) {
      if (!feed.test(fields)) continue
      if (feed.sent >= share) {
        feed.sink.dropped(1)
        continue
      }
      feed.sent += 1
      line ??= requestLine(fields, wallTimeMs, this.#replicaId)
      feed.sink.item(line)
    }
  }

  #close(feed: LiveFeed): void {
    const at = this.#feeds.indexOf(feed)
    if (at !== -1) this.#feeds.splice(at, 1)
  }
}
