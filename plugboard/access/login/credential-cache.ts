// A bounded cache of verification results with a time limit, shared by all routes. Its keys are keyed hashes of credentials, so
// the cache contains no usable credential. Each check has a scope of its own, so a result is never used for another route or
// for a changed row. The oldest entry is evicted first.

import { hash, randomBytes } from 'node:crypto'

export class CredentialCache<Value> {
  readonly #key = randomBytes(32).toString('hex')
  readonly #maxEntries: number
  readonly #entries = new Map<string, { readonly value: Value; readonly untilMs: number }>()
  #scopes = 0

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries
  }

  /** Returns a function that turns credentials into keys. No other scope has the same keys. */
  scope(): (credential: string) => string {
    this.#scopes += 1
    const prefix = `${this.#key} ${this.#scopes} `
    return credential => hash('sha256', prefix + credential, 'base64')
  }

  get(key: string, nowMs: number): Value | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (nowMs < entry.untilMs) return entry.value
    this.#entries.delete(key)
    return undefined
  }

  /** Returns the value like `get`, and extends the entry: it stays for at least half of `forMs` from now. */
  use(key: string, nowMs: number, forMs: number): Value | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined || nowMs >= entry.untilMs) return this.get(key, nowMs)
    if (entry.untilMs - nowMs < forMs / 2) this.set(key, entry.value, nowMs + forMs)
    return entry.value
  }

  set(key: string, value: Value, untilMs: number): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, untilMs })
    if (this.#entries.size <= this.#maxEntries) return
    const [oldest] = this.#entries.keys()
    if (oldest !== undefined) this.#entries.delete(oldest)
  }
}
