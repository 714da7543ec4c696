// The feeds of this replica that one peer has asked for, with the items that wait for the stream. Feeds outlive a broken stream for a
// few seconds, so that a link can be replaced without a loss. When too many items wait, further ones are dropped and counted.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { encodeObserveMessage } from './observe-message.ts'
import type { Feed, ObserveTopics } from './observe-source.ts'

/** Delay after the first item, so that one message carries several, ms. */
const BATCH_MS = 50
/** Most items in one message. */
const BATCH_ITEMS = 100
/** Most items that wait, of all feeds. */
const MAX_WAITING = 2000
/** Most feeds of one peer. */
const MAX_FEEDS = 128
/** Time for which the feeds of a broken stream are kept, ms. */
const KEPT_MS = 5000

interface PeerFeed {
  readonly id: number
  feed: Feed | undefined
  /** Items of the feed before `waiting`, dropped ones included. */
  after: number
  /** Items that were dropped since the last message. */
  dropped: number
  readonly waiting: object[]
  /** True when a message must be sent, also without items. */
  isDue: boolean
}

export interface PeerFeedsOptions {
  readonly topics: ObserveTopics
  readonly clock: Clock
  readonly log?: Logger | undefined
}

export class PeerFeeds {
  readonly #topics: ObserveTopics
  readonly #clock: Clock
  readonly #log: Logger | undefined
  readonly #feeds = new Map<number, PeerFeed>()
  #waiting = 0
  #onReady: (() => void) | undefined
  #timer: Timer | undefined

  constructor({ topics, clock, log }: PeerFeedsOptions) {
    this.#topics = topics
    this.#clock = clock
    this.#log = log
  }

  /** True when no feed is open. */
  get isEmpty(): boolean {
    return this.#feeds.size === 0
  }

  /** Sends the messages of the feeds over a new stream. `onReady`: called when `next` has a message. */
  attach(onReady: () => void): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#onReady = onReady
  }

  /** Keeps the feeds for a short time, because the stream has ended. */
  detach(): void {
    this.#onReady = undefined
    this.#timer?.cancel()
    this.#timer = this.#clock.after(KEPT_MS, () => this.closeAll())
  }

  /** Opens the feed, or continues the one with this id. Returns the reason of a refusal. */
  open(id: number, topic: string, params: unknown): string | undefined {
    const known = this.#feeds.get(id)
    if (known !== undefined) {
      this.#due(known)
      return undefined
    }
    const found = Object.hasOwn(this.#topics, topic) ? this.#topics[topic] : undefined
    if (found === undefined) return 'its version does not have these live data'
    if (this.#feeds.size >= MAX_FEEDS) return 'too many viewers watch it'
    const opened: PeerFeed = { id, feed: undefined, after: 0, dropped: 0, waiting: [], isDue: false }
    try {
      opened.feed = found.source.open(params, {
        item: value => this.#add(opened, value),
        dropped: count => {
          opened.dropped += count
          this.#due(opened)
        },
      })
    } catch (error) {
      this.#log?.warn('a replica asked for live data with parameters that cannot be read', {
        detail: topic,
        err: error,
      })
      return 'its version cannot read this filter'
    }
    this.#feeds.set(id, opened)
    this.#due(opened)
    return undefined
  }

  close(id: number): void {
    const closed = this.#feeds.get(id)
    if (closed === undefined) return
    this.#feeds.delete(id)
    this.#waiting -= closed.waiting.length
    closed.feed?.close()
  }

  closeAll(): void {
    for (const id of [...this.#feeds.keys()]) this.close(id)
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** Returns the next message, or undefined while no feed has one. */
  next(): Uint8Array | undefined {
    for (const feed of this.#feeds.values()) {
      if (!feed.isDue) continue
      const items = feed.waiting.splice(0, BATCH_ITEMS)
      this.#waiting -= items.length
      const { id, after } = feed
      // Dropped items are the newest ones, so they are reported once all others are sent.
      const dropped = feed.waiting.length === 0 ? feed.dropped : 0
      feed.dropped -= dropped
      feed.after += items.length + dropped
      feed.isDue = feed.waiting.length > 0
      // The next call begins with another feed.
      this.#feeds.delete(id)
      this.#feeds.set(id, feed)
      return encodeObserveMessage({ type: 'items', id, after, dropped, items })
    }
    return undefined
  }

  #add(feed: PeerFeed, value: object): void {
    if (this.#waiting >= MAX_WAITING) feed.dropped += 1
    else {
      feed.waiting.push(value)
      this.#waiting += 1
    }
    this.#due(feed)
  }

  #due(feed: PeerFeed): void {
    feed.isDue = true
    if (this.#onReady === undefined || this.#timer !== undefined) return
    this.#timer = this.#clock.after(BATCH_MS, () => {
      this.#timer = undefined
      this.#onReady?.()
    })
  }
}
