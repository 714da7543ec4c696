// The exchange of live data with one peer, in both directions: the peer asks for feeds of this replica, and viewers on this replica ask
// for feeds of the peer. It has no sockets: peers/channels/observe-channel.ts sends the messages that `pull` returns.

import type { ObserveMessage } from './observe-message.ts'
import { decodeObserveMessage, encodeObserveMessage } from './observe-message.ts'
import type { PeerFeeds } from './peer-feeds.ts'

/** Receives the messages of the peer about the feeds that this replica has asked for. */
export interface FeedReceiver {
  itemsArrived(message: Extract<ObserveMessage, { readonly type: 'items' }>): void
  refused(id: number, reason: string): void
  closed(): void
}

export interface ObserveExchangeOptions {
  readonly feeds: PeerFeeds
  readonly receiver: FeedReceiver
  /** Sends the messages. */
  readonly onReady: () => void
  /** Called for a malformed message, which is ignored. */
  readonly onFault: () => void
}

export class ObserveExchange {
  readonly #options: ObserveExchangeOptions
  /** At most one message for each feed, and one for its end. */
  readonly #control: Uint8Array[] = []
  /** False until the stream has asked for the first message. It exists only then. */
  #started = false
  #closed = false

  constructor(options: ObserveExchangeOptions) {
    this.#options = options
    options.feeds.attach(options.onReady)
  }

  watch(id: number, topic: string, params: object): void {
    this.#send({ type: 'watch', id, topic, params })
  }

  unwatch(id: number): void {
    this.#send({ type: 'unwatch', id })
  }

  pull(): Uint8Array | undefined {
    this.#started = true
    return this.#control.shift() ?? this.#options.feeds.next()
  }

  receive(bytes: Uint8Array): void {
    const { feeds, receiver, onFault } = this.#options
    let message: ObserveMessage | undefined
    try {
      message = decodeObserveMessage(bytes)
    } catch {
      onFault()
      return
    }
    switch (message?.type) {
      case 'watch': {
        const { id, topic, params } = message
        const reason = feeds.open(id, topic, params)
        if (reason !== undefined) this.#send({ type: 'refused', id, reason })
        break
      }
      case 'unwatch':
        feeds.close(message.id)
        break
      case 'items':
        receiver.itemsArrived(message)
        break
      case 'refused':
        receiver.refused(message.id, message.reason)
        break
    }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#options.feeds.detach()
    this.#options.receiver.closed()
  }

  #send(message: ObserveMessage): void {
    if (this.#closed) return
    this.#control.push(encodeObserveMessage(message))
    if (this.#started) this.#options.onReady()
  }
}
