// A bounded memory of what was verified, each for a while, for all routes together. Keys are keyed hashes of credentials, so
// that nothing in here opens anything. Each check has a scope of its own in it: what was right for one, or for a row as it
// was before, says nothing to another. The oldest goes first.

import { hash, randomBytes } from 'node:crypto'

export class Remembered<Value> {
  readonly #key = randomBytes(32).toString('hex')
  readonly #maxEntries: number
  readonly #entries = new Map<string, { readonly value: Value; readonly untilMs: number }>()
  #scopes = 0

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries
  }

  /** For one check: turns credentials into keys that are nobody else's. */
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

  /** Like `get`, and extends the entry: it stays for at least half of `forMs` from now on. */
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
