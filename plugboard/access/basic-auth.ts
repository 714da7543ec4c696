// Basic authentication (RFC 7617) of one route. A password is verified with scrypt, which is slow on purpose, so: what was
// right is remembered, the same credential is verified once at a time, all of it is bounded, and an address that guesses
// is made to wait. An unknown user costs as much as a wrong password.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { FailedAttempts } from '@vera-stack/shared/failed-attempts.ts'
import { verifyPassword } from '@vera-stack/shared/password-hash.ts'
import type { BasicRules } from '../routes/access-rules.ts'
import type { BoundedWork } from './bounded-work.ts'
import type { Remembered } from './remembered.ts'

/** What all routes share: the limits are the process's, not a route's. */
export interface BasicDependencies {
  readonly clock: Clock
  readonly failures: FailedAttempts
  readonly work: BoundedWork
  /** Users whose password was right. */
  readonly remembered: Remembered<string>
  /** Told of what should not happen: a verification that broke. */
  readonly broken: (error: unknown) => void
}

/** `user`: it is right. `wait`: try again after so many ms; nothing was verified. */
export type BasicOutcome = { readonly user: string } | 'wrong' | 'busy' | { readonly waitMs: number }

const REMEMBERED_MS = 3_600_000
const MAX_CREDENTIAL = 1024

export class BasicAuth {
  readonly challenge: string
  readonly #deps: BasicDependencies
  readonly #hashes: ReadonlyMap<string, string>
  /** Takes an unknown user's place: what it costs must not tell who there is. */
  readonly #decoy: string
  readonly #keyOf: (credential: string) => string
  readonly #verifying = new Map<string, Promise<BasicOutcome>>()

  constructor(rules: BasicRules, deps: BasicDependencies) {
    const realm = (rules.realm ?? 'Restricted').replace(/["\\]/g, '\\$&')
    this.challenge = `Basic realm="${realm}", charset="UTF-8"`
    this.#deps = deps
    this.#keyOf = deps.remembered.scope()
    this.#hashes = new Map(rules.users.map(({ name, hash }) => [name, hash]))
    this.#decoy = rules.users[0]?.hash ?? ''
  }

  /** `credential`: what follows `Basic` in Authorization. A promise never rejects. */
  check(credential: string, address: string): BasicOutcome | Promise<BasicOutcome> {
    if (credential.length > MAX_CREDENTIAL) return 'wrong'
    const key = this.#keyOf(credential)
    const user = this.#deps.remembered.get(key, this.#deps.clock.now())
    if (user !== undefined) return { user }
    const verifying = this.#verifying.get(key)
    if (verifying !== undefined) return verifying
    const waitMs = this.#deps.failures.waitMs(address)
    if (waitMs > 0) return { waitMs }
    const decoded = decode(credential)
    if (decoded === undefined) return 'wrong'
    // Counted before it is known, so that many at once are not all let through.
    this.#deps.failures.failed(address)
    const work = this.#deps.work.run(() => this.#verify(decoded.name, decoded.password))
    if (work === undefined) {
      this.#deps.failures.forgive(address)
      return 'busy'
    }
    const outcome = this.#settle(work, key, decoded.name, address)
    this.#verifying.set(key, outcome)
    return outcome
  }

  async #settle(work: Promise<boolean>, key: string, user: string, address: string): Promise<BasicOutcome> {
    try {
      if (!(await work)) return 'wrong'
      this.#deps.failures.forgive(address)
      this.#deps.remembered.set(key, user, this.#deps.clock.now() + REMEMBERED_MS)
      return { user }
    } catch (error) {
      // scrypt found no memory: nothing is known of the password.
      this.#deps.broken(error)
      this.#deps.failures.forgive(address)
      return 'busy'
    } finally {
      this.#verifying.delete(key)
    }
  }

  async #verify(user: string, password: string): Promise<boolean> {
    const hash = this.#hashes.get(user)
    const right = await verifyPassword(password, hash ?? this.#decoy)
    return right && hash !== undefined
  }
}

function decode(credential: string): { name: string; password: string } | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(credential)) return undefined
  const text = Buffer.from(credential, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon === -1 ? undefined : { name: text.slice(0, colon), password: text.slice(colon + 1) }
}
