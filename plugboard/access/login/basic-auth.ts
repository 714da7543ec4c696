// Basic authentication (RFC 7617) of one route. A password is verified with scrypt, which is slow by design. So correct
// credentials are cached, the same credential is verified only once at a time, and the number of verifications is limited. An
// unknown user costs as much as a wrong password.
//
// Wrong passwords cause a wait: first for the user name from this address, and after many more for the whole address. So users
// who share an address (NAT) rarely wait because of each other, and a user with a cached credential never waits.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { addressGroup } from '../../common/net/address-group.ts'
import type { FailedAttempts } from '../../common/passwords/failed-attempts.ts'
import { verifyPassword } from '../../common/passwords/password-hash.ts'
import {
  type BasicRules,
  isPassword,
  isUserName,
  MAX_PASSWORD,
  MAX_USER_NAME,
} from '../../routes/rules/access-rules.ts'
import type { CredentialCache } from './credential-cache.ts'
import type { WorkLimiter } from './work-limiter.ts'

/** Shared by all routes, because the limits apply to the whole process. */
export interface BasicDependencies {
  readonly clock: Clock
  /** Failed attempts by user and address. */
  readonly userFailures: FailedAttempts
  /** Failed attempts by address. Allows more failures than `userFailures`. */
  readonly addressFailures: FailedAttempts
  readonly work: WorkLimiter
  /** The users of credentials that were correct. */
  readonly cache: CredentialCache<string>
  /** Reports an internal error of a verification. */
  readonly broken: (error: unknown) => void
}

/** `user`: the credential is correct. `waitMs`: the credential was not verified; the client may retry after this time. */
export type BasicOutcome = { readonly user: string } | 'wrong' | 'busy' | { readonly waitMs: number }

/** The time that a credential stays cached after its last use. A change of the route drops it at once. */
const CACHED_MS = 86_400_000
/** The longest name, a colon and the longest password. A character has at most three bytes, which are four in base64. */
const MAX_CREDENTIAL = (MAX_USER_NAME + 1 + MAX_PASSWORD) * 4

export class BasicAuth {
  readonly challenge: string
  readonly #deps: BasicDependencies
  readonly #hashes: ReadonlyMap<string, string>
  /** The hash that is verified for an unknown user, so that the time of a response does not reveal the names of users. */
  readonly #decoy: string
  readonly #keyOf: (credential: string) => string
  readonly #verifying = new Map<string, Promise<BasicOutcome>>()

  constructor(rules: BasicRules, deps: BasicDependencies) {
    const realm = (rules.realm ?? 'Restricted').replace(/["\\]/g, '\\$&')
    this.challenge = `Basic realm="${realm}", charset="UTF-8"`
    this.#deps = deps
    this.#keyOf = deps.cache.scope()
    this.#hashes = new Map(rules.users.map(({ name, hash }) => [name, hash]))
    this.#decoy = rules.users[0]?.hash ?? ''
  }

  /** Verifies a credential. `credential`: the text behind `Basic` in Authorization. A promise never rejects. */
  check(credential: string, address: string): BasicOutcome | Promise<BasicOutcome> {
    if (credential.length > MAX_CREDENTIAL) return 'wrong'
    const { cache, clock, userFailures, addressFailures, work } = this.#deps
    const key = this.#keyOf(credential)
    const user = cache.use(key, clock.now(), CACHED_MS)
    if (user !== undefined) return { user }
    const verifying = this.#verifying.get(key)
    if (verifying !== undefined) return verifying
    const decoded = decode(credential)
    if (decoded === undefined) return 'wrong'
    const group = addressGroup(address)
    const buckets = [
      [userFailures, this.#keyOf(`${group} ${decoded.name}`)],
      [addressFailures, group],
    ] as const
    const waitMs = Math.max(...buckets.map(([failures, bucket]) => failures.waitMs(bucket)))
    if (waitMs > 0) return { waitMs }
    const forgive = () => {
      for (const [failures, bucket] of buckets) failures.forgive(bucket)
    }
    // Counted as failures before the verification, so that concurrent attempts cannot exceed the limit.
    for (const [failures, bucket] of buckets) failures.failed(bucket)
    const verification = work.run(group, () => this.#verify(decoded.name, decoded.password))
    if (verification === undefined) {
      forgive()
      return 'busy'
    }
    const outcome = this.#settle(verification, key, decoded.name, forgive)
    this.#verifying.set(key, outcome)
    return outcome
  }

  async #settle(
    work: Promise<boolean>,
    key: string,
    user: string,
    forgive: () => void,
  ): Promise<BasicOutcome> {
    try {
      if (!(await work)) return 'wrong'
      forgive()
      this.#deps.cache.set(key, user, this.#deps.clock.now() + CACHED_MS)
      return { user }
    } catch (error) {
      // scrypt could not allocate memory. The password may be correct, so the attempt does not count as a failure.
      this.#deps.broken(error)
      forgive()
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

/** Returns the user name in the text behind `Basic` of Authorization; undefined: the text is malformed. */
export function userOfCredential(credential: string): string | undefined {
  return decode(credential)?.name
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Returns undefined for a name or a password that the route's rules would refuse, because no user can have it. */
function decode(credential: string): { name: string; password: string } | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(credential)) return undefined
  let text: string
  try {
    text = utf8.decode(Buffer.from(credential, 'base64'))
  } catch {
    return undefined // not UTF-8, which the challenge requires
  }
  const colon = text.indexOf(':')
  if (colon === -1) return undefined
  const [name, password] = [text.slice(0, colon), text.slice(colon + 1)]
  return isUserName(name) && isPassword(password) ? { name, password } : undefined
}
