// The time limit of one attempt (`tryTimeoutMs`). Attempts creates it only for a service with this limit, and cancels it with the
// head of the response. The time of an upload does not count, because a slow client is not a slow backend: the timer starts when
// the request body has ended.

import type { Timer } from '@vera-stack/shared/clock.ts'
import type { ProxyContext } from '../proxy-context.ts'

export interface TryTimerOwner {
  readonly context: Pick<ProxyContext, 'clock'>
  /** True while a part of the request body has not arrived. */
  readonly isUploading: boolean
  tryElapsed(timeoutMs: number): void
}

export class TryTimer {
  readonly #owner: TryTimerOwner
  readonly #timeoutMs: number
  #timer: Timer | undefined

  constructor(owner: TryTimerOwner, timeoutMs: number) {
    this.#owner = owner
    this.#timeoutMs = timeoutMs
    if (!owner.isUploading) this.#start()
  }

  /** Call when the client has sent the last byte of the request body. */
  bodyEnded(): void {
    if (this.#timer === undefined) this.#start()
  }

  cancel(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #start(): void {
    this.#timer = this.#owner.context.clock.after(this.#timeoutMs, () => {
      this.#timer = undefined
      this.#owner.tryElapsed(this.#timeoutMs)
    })
  }
}
