// A wait for an event with a time-out: producers call `wake`, and one consumer waits. This file does not depend on the event.

import type { Clock } from '@vera-stack/shared/clock.ts'

/** A latch with a time-out, for one consumer. A wake without a wait in progress ends the next wait at once. */
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

  /** Resolves with true when it was woken, and with false when `timeoutMs` have passed. */
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
