// Admin keys that were valid in the last minutes. They still give access to some operations while the database is unavailable.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { AdminKey } from '../../../database/store/store.ts'

const KEPT_FOR_MS = 300_000
const MAX_KEYS = 1000

interface RecentKey {
  readonly key: AdminKey
  /** On the monotonic clock, ms. */
  readonly at: number
}

export class RecentKeys {
  readonly #clock: Clock
  /** The oldest first. */
  readonly #keys = new Map<string, RecentKey>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `name`: the hash of the credential, which is no credential itself, or the prefix of the key of a session. */
  add(name: string, key: AdminKey): void {
    this.#keys.delete(name)
    this.#keys.set(name, { key, at: this.#clock.now() })
    const [oldest] = this.#keys.keys()
    if (this.#keys.size > MAX_KEYS && oldest !== undefined) this.#keys.delete(oldest)
  }

  get(name: string): AdminKey | undefined {
    const recent = this.#keys.get(name)
    return recent !== undefined && this.#clock.now() - recent.at < KEPT_FOR_MS ? recent.key : undefined
  }

  delete(name: string): void {
    this.#keys.delete(name)
  }
}
