// One watch with equal parameters for any number of viewers of this replica: the feed of this replica, and the state of the feed of
// each peer. Messages of a feed are numbered, so that items that got lost with a link are counted.

import type { ObserveExchange } from './observe-exchange.ts'
import type { ObserveMessage } from './observe-message.ts'
import type { Feed, ObserveTopic } from './observe-source.ts'
import type { ObserveViewer, WatchedReplica } from './observe-viewer.ts'

interface PeerState extends WatchedReplica {
  /** Items of the feed up to now, dropped ones included. */
  readonly position: number
}

export interface SharedWatchOptions {
  readonly id: number
  /** The name of the topic. */
  readonly name: string
  readonly topic: ObserveTopic
  readonly params: object
  /** The only replica to ask; undefined: all replicas. */
  readonly only: string | undefined
  /** The id of this replica. */
  readonly replicaId: string
}

const ASKED: PeerState = { state: 'asked', reason: '', position: 0 }

export class SharedWatch {
  readonly viewers = new Set<ObserveViewer>()
  readonly #options: SharedWatchOptions
  readonly #peers = new Map<string, PeerState>()
  readonly #own: Feed | undefined

  /** Throws for parameters that the source refuses. */
  constructor(options: SharedWatchOptions) {
    this.#options = options
    const { topic, params, replicaId } = options
    if (!this.#asks(replicaId)) return
    this.#own = topic.source.open(params, {
      item: value => this.#send(value),
      dropped: count => this.#dropped(replicaId, count),
    })
  }

  get id(): number {
    return this.#options.id
  }

  get replicas(): ReadonlyMap<string, WatchedReplica> {
    return this.#peers
  }

  close(): void {
    this.#own?.close()
  }

  /** Asks the peer for its feed. Without an exchange, the peer is asked once there is one. */
  ask(peerId: string, exchange: ObserveExchange | undefined): void {
    if (!this.#asks(peerId)) return
    const { id, name, params } = this.#options
    const { position } = this.#peers.get(peerId) ?? ASKED
    this.#set(peerId, { ...ASKED, position })
    exchange?.watch(id, name, params)
  }

  /** The peer has started anew, so its feed begins anew. */
  restarted(peerId: string): void {
    if (this.#peers.has(peerId)) this.#set(peerId, ASKED)
  }

  disconnected(peerId: string): void {
    const known = this.#peers.get(peerId)
    if (known !== undefined) this.#set(peerId, { ...known, state: 'asked', reason: '' })
  }

  refused(peerId: string, reason: string): void {
    if (this.#peers.has(peerId)) this.#set(peerId, { state: 'refused', reason, position: 0 })
  }

  itemsArrived(
    peerId: string,
    { after, dropped, items }: Extract<ObserveMessage, { readonly type: 'items' }>,
  ): void {
    const known = this.#peers.get(peerId)
    if (known === undefined) return
    // A feed that was closed after a long interruption begins at 0 again.
    const lost = Math.max(0, after - known.position) + dropped
    const position = after + dropped + items.length
    if (known.state === 'watched') this.#peers.set(peerId, { ...known, position })
    else this.#set(peerId, { state: 'watched', reason: '', position })
    let unreadable = 0
    for (const item of items) {
      const value = this.#options.topic.read(item)
      if (value === undefined) unreadable += 1
      else this.#send(value)
    }
    if (lost + unreadable > 0) this.#dropped(peerId, lost + unreadable)
  }

  #asks(replicaId: string): boolean {
    const { only } = this.#options
    return only === undefined || only === replicaId
  }

  #set(peerId: string, state: PeerState): void {
    this.#peers.set(peerId, state)
    for (const viewer of this.viewers) viewer.replicasChanged()
  }

  #send(value: object): void {
    const text = JSON.stringify(value)
    for (const viewer of this.viewers) viewer.item(text)
  }

  #dropped(replicaId: string, count: number): void {
    for (const viewer of this.viewers) viewer.dropped(replicaId, count)
  }
}
