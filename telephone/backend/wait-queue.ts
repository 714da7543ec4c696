// A queue of requests that wait for a connection or a stream of their backend. Limits their number and the time that each
// one waits. Clients take turns, and each client holds at most its share of the places, so that the requests of one
// client do not delay the requests of others.

import { DEFAULT_CLIENT_SHARE_PERCENT, shareOf } from '@vera-stack/shared/client-shares.ts'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { exhausted } from './backend-failure.ts'

export interface Waiting {
  /** The client of the request; empty: unknown. */
  readonly client: string
  /** The request gets no connection. `overloaded` or `client_share` when the queue is full or the wait was too long. */
  onNoConnection(error: TunnelError): void
}

export interface WaitLimits {
  /** Largest number of waiting requests. */
  readonly maxWaiting: number
  /** Longest wait of a request, ms. */
  readonly maxWaitMs: number
  /** Share of the places, and of the connections or streams, that one client may hold, percent. */
  readonly clientSharePercent: number
}

export const DEFAULT_WAIT_LIMITS: WaitLimits = {
  maxWaiting: 1024,
  maxWaitMs: 10_000,
  clientSharePercent: DEFAULT_CLIENT_SHARE_PERCENT,
}

export class WaitQueue<Waiter extends Waiting> {
  readonly #clock: Clock
  readonly #limits: WaitLimits
  readonly #mayTake: (client: string) => boolean
  /** The waiting requests and their deadlines, ms of the clock, the next deadline first. */
  readonly #deadlines = new Map<Waiter, number>()
  /** The waiting requests of each client, the oldest one first. The client of the next turn comes first. */
  readonly #clients = new Map<string, Set<Waiter>>()
  #timer: Timer | undefined

  /** `mayTake` returns false while the client holds its share of the connections or streams. */
  constructor(clock: Clock, limits: WaitLimits, mayTake: (client: string) => boolean) {
    this.#clock = clock
    this.#limits = limits
    this.#mayTake = mayTake
  }

  get size(): number {
    return this.#deadlines.size
  }

  /** Adds a waiter. Without a free place, refuses the waiter and returns false. */
  add(waiter: Waiter): boolean {
    const { maxWaiting, maxWaitMs, clientSharePercent } = this.#limits
    const { client } = waiter
    const own = this.#clients.get(client)
    if (this.#deadlines.size >= maxWaiting) {
      waiter.onNoConnection(exhausted(`Already ${maxWaiting} requests wait for a connection.`))
      return false
    }
    if (own !== undefined && client !== '' && own.size >= shareOf(maxWaiting, clientSharePercent)) {
      const detail = 'The client already holds its share of the queue for a connection.'
      waiter.onNoConnection(new TunnelError('client_share', { detail }))
      return false
    }
    if (own === undefined) this.#clients.set(client, new Set([waiter]))
    else own.add(waiter)
    this.#deadlines.set(waiter, this.#clock.now() + maxWaitMs)
    this.#timer ??= this.#clock.after(maxWaitMs, () => this.#refuseLate())
    return true
  }

  /** Removes a waiter. Returns false when the waiter is not in the queue. */
  remove(waiter: Waiter): boolean {
    if (!this.#deadlines.delete(waiter)) return false
    const own = this.#clients.get(waiter.client)
    own?.delete(waiter)
    if (own?.size === 0) this.#clients.delete(waiter.client)
    return true
  }

  /** Restarts the waiter's time limit; it keeps its place. Returns false when the waiter is not in the queue. */
  renew(waiter: Waiter): boolean {
    if (!this.#deadlines.delete(waiter)) return false
    this.#deadlines.set(waiter, this.#clock.now() + this.#limits.maxWaitMs)
    return true
  }

  /** True when a waiter may take the next free connection or stream. */
  get hasTurn(): boolean {
    for (const client of this.#clients.keys()) if (this.#mayTake(client)) return true
    return false
  }

  /** Removes and returns the waiter whose turn it is. Undefined when each waiting client holds its share. */
  next(): Waiter | undefined {
    // Called after each request, and the queue is nearly always empty. Then no iterator is created.
    if (this.#deadlines.size === 0) return undefined
    for (const [client, own] of this.#clients) {
      if (!this.#mayTake(client)) continue
      const [waiter] = own
      if (waiter === undefined) continue
      this.remove(waiter)
      if (own.size === 0) return waiter
      // Another client gets the next turn.
      this.#clients.delete(client)
      this.#clients.set(client, own)
      return waiter
    }
    return undefined
  }

  refuseAll(error: TunnelError): void {
    const waiters = [...this.#deadlines.keys()]
    this.#deadlines.clear()
    this.#clients.clear()
    for (const waiter of waiters) waiter.onNoConnection(error)
  }

  /** Refuses all waiters. The caller adds no waiter after this call. */
  close(error: TunnelError): void {
    this.#timer?.cancel()
    this.refuseAll(error)
  }

  #refuseLate(): void {
    this.#timer = undefined
    const now = this.#clock.now()
    for (const [waiter, deadline] of this.#deadlines) {
      if (deadline > now) break
      const mayTake = this.#mayTake(waiter.client)
      this.remove(waiter)
      const detail = `No connection to the backend was free within ${this.#limits.maxWaitMs / 1000} s.`
      waiter.onNoConnection(mayTake ? exhausted(detail) : new TunnelError('client_share', { detail }))
    }
    this.#arm(now)
  }

  #arm(now: number): void {
    const [next] = this.#deadlines.values()
    this.#timer?.cancel()
    this.#timer = next === undefined ? undefined : this.#clock.after(next - now, () => this.#refuseLate())
  }
}
