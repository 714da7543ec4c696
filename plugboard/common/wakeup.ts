// Waiting for news, but not for ever: whoever has news wakes, one reader waits. It must not know what the news is.

import type { Clock } from '@vera-stack/shared/clock.ts'

/** A latch with a time-out, for one waiter: a wake while nobody waits ends the next wait at once. */
export class Wakeup {
  readonly #clock: Clock
  #woken = false
  #resolve: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  wake(): void {
    this.#woken = true
    this.#resolve?.()
  }

  /** True: woken; false: `timeoutMs` have passed. */
  async wait(timeoutMs: number): Promise<boolean> {
    if (!this.#woken) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#resolve = resolve
      const timer = this.#clock.after(timeoutMs, resolve)
      await promise
      timer.cancel()
      this.#resolve = undefined
    }
    const woken = this.#woken
    this.#woken = false
    return woken
  }
}
