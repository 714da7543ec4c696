// Requests that wait until their backend has a connection, or a stream, for them: so many at most, and each for so long
// at most. Clients take turns, and a client holds no more than its share of the places, so that the requests of one
// client do not keep the others waiting.

import { DEFAULT_CLIENT_SHARE_PERCENT, shareOf } from '@vera-stack/shared/client-shares.ts'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { exhausted } from './backend-failure.ts'

export interface Waiting {
  /** Names the client that the request is for; empty: not known. */
  readonly client: string
  /** `backend_unreachable`; `overloaded` or `client_share` when the queue is full or the wait too long. */
  onNoConnection(error: TunnelError): void
}

export interface WaitLimits {
  /** Requests that may wait. */
  readonly maxWaiting: number
  /** How long one may wait, ms. */
  readonly maxWaitMs: number
  /** How much of the places, and of what is waited for, one client may hold, in percent. */
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
  /** With their deadlines, ms of the clock, the next one first. */
  readonly #deadlines = new Map<Waiter, number>()
  /** Those of each client, the one that has waited longest first. The client of the next turn comes first. */
  readonly #clients = new Map<string, Set<Waiter>>()
  #timer: Timer | undefined

  /** `mayTake`: false while the client holds its share of what is waited for. */
  constructor(clock: Clock, limits: WaitLimits, mayTake: (client: string) => boolean) {
    this.#clock = clock
    this.#limits = limits
    this.#mayTake = mayTake
  }

  get size(): number {
    return this.#deadlines.size
  }

  /** False: there is no place, and the waiter has been told. */
  add(waiter: Waiter): boolean {
    const { maxWaiting, maxWaitMs, clientSharePercent } = this.#limits
    const { client } = waiter
    const own = this.#clients.get(client)
    if (this.#deadlines.size >= maxWaiting) {
      waiter.onNoConnection(exhausted(`${maxWaiting} requests wait for a connection already.`))
      return false
    }
    if (own !== undefined && client !== '' && own.size >= shareOf(maxWaiting, clientSharePercent)) {
      const detail = 'the client has its share of the queue for a connection'
      waiter.onNoConnection(new TunnelError('client_share', { detail }))
      return false
    }
    if (own === undefined) this.#clients.set(client, new Set([waiter]))
    else own.add(waiter)
    this.#deadlines.set(waiter, this.#clock.now() + maxWaitMs)
    this.#timer ??= this.#clock.after(maxWaitMs, () => this.#refuseLate())
    return true
  }

  /** False: it was not in here. */
  remove(waiter: Waiter): boolean {
    if (!this.#deadlines.delete(waiter)) return false
    const own = this.#clients.get(waiter.client)
    own?.delete(waiter)
    if (own?.size === 0) this.#clients.delete(waiter.client)
    return true
  }

  /** Gives the waiter all of its time again; it keeps its place. False: it was not in here. */
  renew(waiter: Waiter): boolean {
    if (!this.#deadlines.delete(waiter)) return false
    this.#deadlines.set(waiter, this.#clock.now() + this.#limits.maxWaitMs)
    return true
  }

  /** True when a waiter may take something as soon as there is room. */
  get hasTurn(): boolean {
    for (const client of this.#clients.keys()) if (this.#mayTake(client)) return true
    return false
  }

  /** Takes out the waiter whose turn it is; undefined when no client that waits may take anything. */
  next(): Waiter | undefined {
    // Asked after each request, and nearly always empty: no iterator is made then.
    if (this.#deadlines.size === 0) return undefined
    for (const [client, own] of this.#clients) {
      if (!this.#mayTake(client)) continue
      const [waiter] = own
      if (waiter === undefined) continue
      this.remove(waiter)
      if (own.size === 0) return waiter
      // The next turn is that of another client.
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

  /** Refuses all; nothing may be added after it. */
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
