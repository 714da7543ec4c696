// Codes of one-time links to the dashboard. A code starts one session of one admin key. This process keeps the codes in memory,
// as hashes. So a link works only once, and only on the replica that created it.

import { createHash, randomBytes } from 'node:crypto'
import type { Clock } from '@vera-stack/shared/clock.ts'

export const CODE_PREFIX = 'vsl_'
const CODE = /^vsl_[\w-]{32}$/
const CODE_BYTES = 24
/** How long a link works, ms. */
const LIFETIME_MS = 3_600_000
/** The largest number of unused links of a key. A further link removes the oldest one of the same key. */
const MAX_LINKS_OF_KEY = 10
/** The largest number of unused links. A further link removes the oldest one. */
const MAX_LINKS = 1000

interface WaitingLink {
  readonly keyPrefix: string
  /** On the monotonic clock, ms. */
  readonly until: number
}

export interface LoginLink {
  readonly code: string
  readonly expiresAt: Date
}

export class LoginLinks {
  readonly #clock: Clock
  /** By the hash of the code, the oldest first. */
  readonly #waiting = new Map<string, WaitingLink>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `keyPrefix`: the admin key of the later session. */
  create(keyPrefix: string): LoginLink {
    const own = [...this.#waiting].flatMap(([hash, link]) => (link.keyPrefix === keyPrefix ? [hash] : []))
    const isFull = own.length >= MAX_LINKS_OF_KEY || this.#waiting.size >= MAX_LINKS
    const [oldest] = own.length >= MAX_LINKS_OF_KEY ? own : this.#waiting.keys()
    if (isFull && oldest !== undefined) this.#waiting.delete(oldest)
    const code = CODE_PREFIX + randomBytes(CODE_BYTES).toString('base64url')
    this.#waiting.set(hashOfCode(code), { keyPrefix, until: this.#clock.now() + LIFETIME_MS })
    return { code, expiresAt: new Date(this.#clock.wallTime() + LIFETIME_MS) }
  }

  /** Returns the prefix of the link's admin key. Undefined: the code is unknown, used or too old. */
  keyOf(code: string): string | undefined {
    const link = CODE.test(code) ? this.#waiting.get(hashOfCode(code)) : undefined
    return link !== undefined && this.#clock.now() < link.until ? link.keyPrefix : undefined
  }

  /** Removes a link. Returns false when it was unknown, used or too old. */
  redeem(code: string): boolean {
    return this.keyOf(code) !== undefined && this.#waiting.delete(hashOfCode(code))
  }
}

const hashOfCode = (code: string): string => createHash('sha256').update(code).digest('base64url')
