// The live data of all replicas for the viewers on this one. Viewers with equal parameters share one feed of each replica. A feed is
// opened with the first viewer and closed after the last one, so that replicas send only data that a viewer reads.
//
//   viewer ──watch──▶ SharedWatch ──┬─▶ source of this replica
//                                   └─▶ exchange with each peer ──▶ its source

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { ObserveExchange } from './observe-exchange.ts'
import type { ObserveTopics } from './observe-source.ts'
import type { ObserveViewer, ViewerWatch } from './observe-viewer.ts'
import { PeerFeeds } from './peer-feeds.ts'
import { SharedWatch } from './shared-watch.ts'

export interface ObserveHubOptions {
  readonly replicaId: string
  readonly topics: ObserveTopics
  readonly clock: Clock
  readonly log?: Logger | undefined
}

export interface PeerOpening {
  readonly peerId: string
  /** Identifies the start of the peer. */
  readonly incarnation: string
  readonly onReady: () => void
  readonly onFault: () => void
}

interface ConnectedPeer {
  readonly incarnation: string
  readonly feeds: PeerFeeds
  exchange: ObserveExchange | undefined
}

export class ObserveHub {
  readonly #options: ObserveHubOptions
  readonly #watches = new Map<string, SharedWatch>()
  readonly #peers = new Map<string, ConnectedPeer>()
  readonly #listeners = new Set<() => void>()
  #lastId = 0

  constructor(options: ObserveHubOptions) {
    this.#options = options
  }

  /** True while a viewer on this replica reads data of other replicas. */
  get wanted(): boolean {
    return this.#watches.size > 0
  }

  /** Calls `listener` with the first viewer. Returns a function that unsubscribes. */
  whenWanted(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Sends the items of all replicas to the viewer; of one replica only when `only` is set. Throws for parameters that the source refuses. */
  watch(topic: string, params: object, viewer: ObserveViewer, only?: string): ViewerWatch {
    const key = JSON.stringify([topic, params, only ?? null])
    let shared = this.#watches.get(key)
    if (shared === undefined) {
      shared = this.#newWatch(topic, params, only)
      this.#watches.set(key, shared)
      for (const [peerId, { exchange }] of this.#peers) shared.ask(peerId, exchange)
      if (this.#watches.size === 1) for (const listener of this.#listeners) listener()
    }
    const { viewers, replicas } = shared
    viewers.add(viewer)
    return { replicas, close: () => this.#leave(key, viewer) }
  }

  /** Begins the exchange with one start of a replica. */
  exchange({ peerId, incarnation, onReady, onFault }: PeerOpening): ObserveExchange {
    let peer = this.#peers.get(peerId)
    if (peer?.incarnation !== incarnation) {
      peer?.feeds.closeAll()
      peer = { incarnation, feeds: new PeerFeeds(this.#options), exchange: undefined }
      this.#peers.set(peerId, peer)
      for (const watch of this.#watches.values()) watch.restarted(peerId)
    }
    const connected = peer
    const exchange: ObserveExchange = new ObserveExchange({
      feeds: connected.feeds,
      onReady,
      onFault,
      receiver: {
        itemsArrived: message => this.#watchOf(message.id)?.itemsArrived(peerId, message),
        refused: (id, reason) => this.#watchOf(id)?.refused(peerId, reason),
        closed: () => this.#closed(peerId, exchange),
      },
    })
    connected.exchange = exchange
    for (const watch of this.#watches.values()) watch.ask(peerId, exchange)
    return exchange
  }

  /** Closes all feeds. */
  stop(): void {
    for (const { feeds } of this.#peers.values()) feeds.closeAll()
    this.#peers.clear()
  }

  #newWatch(topic: string, params: object, only: string | undefined): SharedWatch {
    const found = this.#options.topics[topic]
    if (found === undefined) throw new Error(`the topic ${topic} does not exist`)
    this.#lastId += 1
    const { replicaId } = this.#options
    return new SharedWatch({ id: this.#lastId, name: topic, topic: found, params, only, replicaId })
  }

  #watchOf(id: number): SharedWatch | undefined {
    for (const watch of this.#watches.values()) if (watch.id === id) return watch
    return undefined
  }

  #leave(key: string, viewer: ObserveViewer): void {
    const shared = this.#watches.get(key)
    if (shared === undefined || !shared.viewers.delete(viewer) || shared.viewers.size > 0) return
    this.#watches.delete(key)
    shared.close()
    for (const { exchange } of this.#peers.values()) exchange?.unwatch(shared.id)
  }

  #closed(peerId: string, exchange: ObserveExchange): void {
    const peer = this.#peers.get(peerId)
    if (peer?.exchange !== exchange) return
    peer.exchange = undefined
    for (const watch of this.#watches.values()) watch.disconnected(peerId)
    this.#forgetPeers()
  }

  /** Removes the peers that have neither a stream nor feeds, when there are many: replicas with generated names come and go. */
  #forgetPeers(): void {
    if (this.#peers.size <= MAX_PEERS) return
    for (const [peerId, { exchange, feeds }] of this.#peers) {
      if (exchange === undefined && feeds.isEmpty) this.#peers.delete(peerId)
    }
  }
}

const MAX_PEERS = 32
