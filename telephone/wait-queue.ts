// Requests that wait until their backend has a connection, or a stream, for them: in their order, so many at most, and
// each for so long at most.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { TunnelError } from '@vera-stack/shared/protocol/reason.ts'

export interface Waiting {
  /** `backend_unreachable`, or `overloaded` when the queue is full or the wait too long. */
  onNoConnection(error: TunnelError): void
}

export interface WaitLimits {
  /** Requests that may wait. */
  readonly maxWaiting: number
  /** How long one may wait, ms. */
  readonly maxWaitMs: number
}

export class WaitQueue<Waiter extends Waiting> {
  readonly #clock: Clock
  readonly #limits: WaitLimits
  /** With their deadlines, ms of the clock, oldest first. */
  readonly #waiters = new Map<Waiter, number>()
  #timer: Timer | undefined

  constructor(clock: Clock, limits: WaitLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  get size(): number {
    return this.#waiters.size
  }

  /** False: it is full, and the waiter has been told. */
  add(waiter: Waiter): boolean {
    const { maxWaiting, maxWaitMs } = this.#limits
    if (this.#waiters.size >= maxWaiting) {
      waiter.onNoConnection(new TunnelError('overloaded', { detail: 'the queue for a connection is full' }))
      return false
    }
    this.#waiters.set(waiter, this.#clock.now() + maxWaitMs)
    this.#timer ??= this.#clock.after(maxWaitMs, () => this.#refuseLate())
    return true
  }

  /** False: it was not in here. */
  remove(waiter: Waiter): boolean {
    return this.#waiters.delete(waiter)
  }

  /** Takes out the one that has waited longest. */
  next(): Waiter | undefined {
    if (this.#waiters.size === 0) return undefined
    const [waiter] = this.#waiters.keys()
    if (waiter !== undefined) this.#waiters.delete(waiter)
    return waiter
  }

  refuseAll(error: TunnelError): void {
    const waiters = [...this.#waiters.keys()]
    this.#waiters.clear()
    for (const waiter of waiters) waiter.onNoConnection(error)
  }

  /** Refuses all; nobody waits after it. */
  close(error: TunnelError): void {
    this.#timer?.cancel()
    this.refuseAll(error)
  }

  #refuseLate(): void {
    this.#timer = undefined
    const now = this.#clock.now()
    for (const [waiter, deadline] of this.#waiters) {
      if (deadline > now) {
        this.#timer = this.#clock.after(deadline - now, () => this.#refuseLate())
        return
      }
      this.#waiters.delete(waiter)
      waiter.onNoConnection(new TunnelError('overloaded', { detail: 'waited too long for a connection' }))
    }
  }
}
