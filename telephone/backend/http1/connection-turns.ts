// Decides which request gets a connection of the pool, and when. A request waits while all connections are in use, or
// while its client holds its share of them. An upload of which little has come waits apart, while half of the connections
// or more are in use: a client that sends its body slowly should hold a stream of the tunnel, not a connection.
//
//   request ──little of its upload──▶ uploads ──64 KiB, its end, or plenty of connections──▶ next
//      └──────share held, all in use──▶ queue ──a connection is free, client by client──────▶ next

import { ClientShares } from '@vera-stack/shared/client-shares.ts'
import type { Clock } from '@vera-stack/shared/clock.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { type Waiting, type WaitLimits, WaitQueue } from '../wait-queue.ts'

export interface TurnLimits extends WaitLimits {
  readonly maxConnections: number
  /** So much of an upload has to be here before it takes one of the last connections, bytes; all of a shorter one. */
  readonly uploadStartBytes: number
}

export interface Uploading extends Waiting {
  /** What is here of its body, bytes; Infinity when that is all of it. May grow: see `uploadMoved`. */
  readonly uploadedBytes: number
}

export class ConnectionTurns<Waiter extends Uploading> {
  readonly #limits: TurnLimits
  /** Of the connections in use. */
  readonly #shares: ClientShares
  readonly #queue: WaitQueue<Waiter>
  /** There are never more of them than the tunnels have streams. */
  readonly #uploads: WaitQueue<Waiter>

  /** `holders` lists the client of each connection in use. */
  constructor(clock: Clock, limits: TurnLimits, holders: () => Iterable<string>) {
    const mayTake = (client: string): boolean => this.#mayTake(client)
    this.#limits = limits
    this.#shares = new ClientShares(limits.clientSharePercent, holders)
    this.#queue = new WaitQueue(clock, limits, mayTake)
    this.#uploads = new WaitQueue(clock, { ...limits, maxWaiting: Number.POSITIVE_INFINITY }, mayTake)
  }

  /** True when the request may take a connection now; otherwise it waits. */
  admit(waiter: Waiter): boolean {
    if (!this.#isReady(waiter) && !this.#plenty) {
      this.#uploads.add(waiter)
      return false
    }
    if (this.#mayTake(waiter.client)) return true
    this.wait(waiter)
    return false
  }

  /** The request may take a connection, and there is none. */
  wait(waiter: Waiter): void {
    this.#queue.add(waiter)
  }

  /** More of an upload has come, or its end. True when it waited for that, and waits no more: to be admitted again. */
  uploadMoved(waiter: Waiter): boolean {
    if (this.#isReady(waiter)) return this.#uploads.remove(waiter)
    this.#uploads.renew(waiter)
    return false
  }

  /** True when a request waits that may take a connection as soon as there is one. */
  get hasTurn(): boolean {
    return this.#queue.hasTurn || (this.#plenty && this.#uploads.hasTurn)
  }

  /** Takes out the request that gets a connection that is free; undefined when no request may take it. */
  next(): Waiter | undefined {
    return this.#queue.next() ?? (this.#plenty ? this.#uploads.next() : undefined)
  }

  /** False: it does not wait. */
  remove(waiter: Waiter): boolean {
    return this.#queue.remove(waiter) || this.#uploads.remove(waiter)
  }

  /** Refuses all that wait; nothing may be admitted after it. */
  close(error: TunnelError): void {
    this.#queue.close(error)
    this.#uploads.close(error)
  }

  /** A connection is in use for the client. */
  hold(client: string): void {
    this.#shares.add(client)
  }

  release(client: string): void {
    this.#shares.remove(client)
  }

  #isReady({ uploadedBytes }: Waiter): boolean {
    return uploadedBytes >= this.#limits.uploadStartBytes
  }

  /** Fewer than half of the connections are in use. */
  get #plenty(): boolean {
    return this.#shares.held * 2 < this.#limits.maxConnections
  }

  #mayTake(client: string): boolean {
    return this.#shares.allows(client, this.#limits.maxConnections)
  }
}
