// The time limit of one attempt (`tryTimeoutMs`). Attempts creates it only for a service with this limit, and cancels it with the
// head of the response. The time of an upload does not count, because a slow client is not a slow backend.

import type { Timer } from '@vera-stack/shared/clock.ts'
import type { ProxyContext } from '../proxy-context.ts'

export interface TryTimerOwner {
  readonly context: ProxyContext
  /** True while a part of the request body has not arrived. */
  readonly isUploading: boolean
  /** The time at which the request of the current attempt was sent. */
  readonly sentAtMs: number
  tryElapsed(timeoutMs: number): void
}

export class TryTimer {
  readonly #owner: TryTimerOwner
  readonly #timeoutMs: number
  #timer: Timer | undefined

  constructor(owner: TryTimerOwner, timeoutMs: number) {
    this.#owner = owner
    this.#timeoutMs = timeoutMs
    this.#wait(timeoutMs)
  }

  cancel(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #wait(delayMs: number): void {
    this.#timer = this.#owner.context.clock.after(delayMs, () => this.#check())
  }

  #check(): void {
    const { context, isUploading, sentAtMs } = this.#owner
    this.#timer = undefined
    const leftMs = this.#timeoutMs - (isUploading ? 0 : context.clock.now() - sentAtMs)
    if (leftMs > 0) this.#wait(leftMs)
    else this.#owner.tryElapsed(this.#timeoutMs)
  }
}
