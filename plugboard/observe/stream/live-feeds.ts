// The open feeds of one source: sends an item to each feed whose filter it passes. All feeds together get at most 1,000 items in a
// second, in equal parts.

import type { Feed, FeedSink } from './observe-source.ts'

export const MAX_ITEMS_PER_SECOND = 1000
const SECOND_MS = 1000

interface LiveFeed<Item> extends Feed {
  readonly test: (item: Item) => boolean
  readonly sink: FeedSink
  /** Items in the present second. */
  sent: number
}

export class LiveFeeds<Item> {
  readonly #feeds: LiveFeed<Item>[] = []
  #secondStartMs = Number.NEGATIVE_INFINITY

  /** The number of open feeds. */
  get size(): number {
    return this.#feeds.length
  }

  open(test: (item: Item) => boolean, sink: FeedSink): Feed {
    const feed: LiveFeed<Item> = { test, sink, sent: 0, close: () => this.#close(feed) }
    this.#feeds.push(feed)
    return feed
  }

  /** `nowMs`: time of the clock. `shown`: returns the form of the item that viewers get; called at most once. */
  publish(item: Item, nowMs: number, shown: () => object): void {
    if (nowMs - this.#secondStartMs >= SECOND_MS) {
      this.#secondStartMs = nowMs
      for (const feed of this.#feeds) feed.sent = 0
    }
    const share = Math.max(1, Math.floor(MAX_ITEMS_PER_SECOND / this.#feeds.length))
    let value: object | undefined
    for (const feed of this.#feeds) {
      if (!feed.test(item)) continue
      if (feed.sent >= share) {
        feed.sink.dropped(1)
        continue
      }
      feed.sent += 1
      value ??= shown()
      feed.sink.item(value)
    }
  }

  #close(feed: LiveFeed<Item>): void {
    const at = this.#feeds.indexOf(feed)
    if (at !== -1) this.#feeds.splice(at, 1)
  }
}
