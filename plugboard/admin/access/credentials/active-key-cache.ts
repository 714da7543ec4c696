// Checks keys from addresses with many failed attempts. All of these attempts share one list of the active keys, which is loaded
// at most once a second. So a valid key is always accepted, and a flood of wrong keys causes only one query a second.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { hashMatches } from '../api-key-format.ts'

const INTERVAL_MS = 1000

export interface ActiveKeyCacheOptions {
  /** Resolves with the hashes of all active keys, by prefix. */
  readonly load: () => Promise<ReadonlyMap<string, string>>
  readonly clock: Clock
}

export class ActiveKeyCache {
  readonly #options: ActiveKeyCacheOptions
  #loadedAtMs = Number.NEGATIVE_INFINITY
  /** A load that has not begun yet. Its result is newer than each attempt that waits for it. */
  #next: Promise<ReadonlyMap<string, string>> | undefined

  constructor(options: ActiveKeyCacheOptions) {
    this.#options = options
  }

  /**
   * Resolves with true when the key is active, within one second plus the time of a query. Rejects when the list cannot be
   * loaded.
   */
  async has(prefix: string, hash: string): Promise<boolean> {
    this.#next ??= this.#loadLater()
    return hashMatches(hash, (await this.#next).get(prefix))
  }

  async #loadLater(): Promise<ReadonlyMap<string, string>> {
    const { clock, load } = this.#options
    const waitMs = this.#loadedAtMs + INTERVAL_MS - clock.now()
    // Always waits, because the caller sets `#next` when this call returns, and it must be cleared after that.
    await new Promise<void>(resolve => (waitMs > 0 ? clock.after(waitMs, resolve) : resolve()))
    this.#loadedAtMs = clock.now()
    this.#next = undefined
    return await load()
  }
}
