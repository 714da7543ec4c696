// Limits the change log to the configured length. It prunes once an hour. The first run comes at a random time after the
// start, so that replicas that start together do not prune at the same time.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { ChangeStore } from '../store/store.ts'

const INTERVAL_MS = 3_600_000

export interface ChangePrunerOptions {
  readonly changes: Pick<ChangeStore, 'prune'>
  /** The number of newest entries that stay. */
  readonly keep: number
  readonly clock: Clock
  readonly log: Logger
  /** Returns a uniform random number in [0, 1). */
  readonly random?: () => number
}

export class ChangePruner {
  readonly #options: ChangePrunerOptions
  #timer: Timer
  #running: Promise<void> = Promise.resolve()

  constructor(options: ChangePrunerOptions) {
    this.#options = options
    const { clock, random = Math.random } = options
    this.#timer = clock.after(INTERVAL_MS * random(), () => this.#look())
  }

  /** Stops the timer, and waits for a run that is in progress. */
  async stop(): Promise<void> {
    this.#timer.cancel()
    await this.#running
    this.#timer.cancel()
  }

  #look(): void {
    this.#running = this.#prune()
    this.#timer = this.#options.clock.after(INTERVAL_MS, () => this.#look())
  }

  async #prune(): Promise<void> {
    const { changes, keep, log } = this.#options
    try {
      const count = await changes.prune(keep)
      if (count > 0) log.info('change log pruned', { count })
    } catch (error) {
      // The next run finds the same entries again.
      log.warn('the change log could not be pruned', { err: error })
    }
  }
}
