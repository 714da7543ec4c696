// Decides which request gets a connection of the pool, and when. A request waits while all connections are in use, or
// while its client holds its share of them. While half of the connections or more are in use, an upload waits in a separate
// queue until enough of its body has arrived. So a client that sends its body slowly holds only a stream of the tunnel.
//
//   request ──little of its upload──▶ uploads ──64 KiB, its end, or plenty of connections──▶ next
//      └──────share held, all in use──▶ queue ──a connection is free, client by client──────▶ next

import { ClientShares } from '@vera-stack/shared/client-shares.ts'
import type { Clock } from '@vera-stack/shared/clock.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { type Waiting, type WaitLimits, WaitQueue } from '../../wait-queue.ts'

export interface TurnLimits extends WaitLimits {
  readonly maxConnections: number
  /** Bytes of an upload that must have arrived before it takes one of the last connections; a shorter upload: all. */
  readonly uploadStartBytes: number
}

export interface Uploading extends Waiting {
  /** Bytes of the body that have arrived; Infinity when the body is complete. It may grow: see `uploadMoved`. */
  readonly uploadedBytes: number
}

export class ConnectionTurns<Waiter extends Uploading> {
  readonly #limits: TurnLimits
  /** Shares of the clients in the connections in use. */
  readonly #shares: ClientShares
  readonly #queue: WaitQueue<Waiter>
  /** Waiting uploads. Their number is limited by the streams of the tunnels. */
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

  /** Makes a request wait that may take a connection while no connection is free. */
  wait(waiter: Waiter): void {
    this.#queue.add(waiter)
  }

  /** Handles new bytes or the end of an upload. Returns true when the upload no longer waits; then call `admit` again. */
  uploadMoved(waiter: Waiter): boolean {
    if (this.#isReady(waiter)) return this.#uploads.remove(waiter)
    this.#uploads.renew(waiter)
    return false
  }

  /** True when a waiting request may take the next free connection. */
  get hasTurn(): boolean {
    return this.#queue.hasTurn || (this.#plenty && this.#uploads.hasTurn)
  }

  /** Removes and returns the request that gets a free connection. Undefined when no request may take it. */
  next(): Waiter | undefined {
    return this.#queue.next() ?? (this.#plenty ? this.#uploads.next() : undefined)
  }

  /** Removes a waiting request. Returns false when the request does not wait. */
  remove(waiter: Waiter): boolean {
    return this.#queue.remove(waiter) || this.#uploads.remove(waiter)
  }

  /** Refuses all waiting requests. The caller admits no request after this call. */
  close(error: TunnelError): void {
    this.#queue.close(error)
    this.#uploads.close(error)
  }

  /** Counts a connection in use for the client. */
  hold(client: string): void {
    this.#shares.add(client)
  }

  release(client: string): void {
    this.#shares.remove(client)
  }

  #isReady({ uploadedBytes }: Waiter): boolean {
    return uploadedBytes >= this.#limits.uploadStartBytes
  }

  /** True when fewer than half of the connections are in use. */
  get #plenty(): boolean {
    return this.#shares.held * 2 < this.#limits.maxConnections
  }

  #mayTake(client: string): boolean {
    return this.#shares.allows(client, this.#limits.maxConnections)
  }
}
