// Reads the admin key of a credential. The key is read from the database at each request, so that a revocation takes effect at once.
// While the database is unavailable, keys that were valid in the last minutes still give access to operations without the database.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Context } from 'hono'
import type { AdminKey } from '../../../database/store/store.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { hashMatches } from '../api-key-format.ts'
import { isExpired } from '../credential-state.ts'
import { RecentKeys } from './recent-keys.ts'

const TOUCH_INTERVAL_MS = 60_000
const MAX_TOUCHED_KEYS = 1000
/** Longest wait for the database when a recent key can take its place, ms. A database that is frozen or cut off does not refuse. */
const MAX_WAIT_MS = 1000

export class KeyLoader {
  readonly #options: Pick<AdminDependencies, 'store' | 'clock'>
  readonly #recentKeys: RecentKeys
  readonly #touchedAt = new Map<string, number>()

  constructor(options: Pick<AdminDependencies, 'store' | 'clock'>) {
    this.#options = options
    this.#recentKeys = new RecentKeys(options.clock)
  }

  /** True when a key with this hash was valid in the last minutes. */
  isRecent(hash: string): boolean {
    return this.#recentKeys.get(hash) !== undefined
  }

  /**
   * Resolves with the active key. Rejects with `unauthorized` or `database_unavailable`. `hash`: the hash of the whole key.
   * Undefined: a session or a link has proved the key.
   */
  async load(c: Context<AdminEnv>, prefix: string, hash: string | undefined): Promise<AdminKey> {
    const { clock } = this.#options
    const name = hash ?? prefix
    let key: AdminKey
    try {
      const finding = this.#find(name, prefix, hash)
      const hasRecent = this.#recentKeys.get(name) !== undefined && worksWithoutDatabase(c)
      key = hasRecent ? await withinWait(finding, clock) : await finding
      this.#touch(key, c)
    } catch (error) {
      const recent = this.#recentKeys.get(name)
      if (!isCode(error, 'database_unavailable') || recent === undefined || !worksWithoutDatabase(c))
        throw error
      key = recent
    }
    if (!isExpired(key, clock)) return key
    this.#recentKeys.delete(name)
    throw new VeraError('unauthorized', 'The API key has expired.')
  }

  /** Reads the key and remembers the result, also when the request has stopped waiting for it. */
  async #find(name: string, prefix: string, hash: string | undefined): Promise<AdminKey> {
    const found = await this.#options.store.adminKeys.findByPrefix(prefix)
    const isRight = hash === undefined || hashMatches(hash, found?.hash)
    if (found === undefined || !isRight || found.revokedAt !== null) {
      this.#recentKeys.delete(name)
      const isRevoked = found !== undefined && isRight
      throw new VeraError(
        'unauthorized',
        isRevoked ? 'The API key has been revoked.' : 'The API key does not exist.',
      )
    }
    const { hash: _, ...key } = found
    this.#recentKeys.add(name, key)
    return key
  }

  #touch(key: AdminKey, c: Context<AdminEnv>): void {
    const { store, clock } = this.#options
    const touchedAt = this.#touchedAt
    const last = touchedAt.get(key.id)
    if (last !== undefined && clock.now() - last < TOUCH_INTERVAL_MS) return
    touchedAt.delete(key.id)
    touchedAt.set(key.id, clock.now())
    const [oldest] = touchedAt.keys()
    if (touchedAt.size > MAX_TOUCHED_KEYS && oldest !== undefined) touchedAt.delete(oldest)
    // The request does not wait for this write, and does not depend on it.
    store.adminKeys.touch(key.id).catch((err: unknown) => c.get('log').debug('key not touched', { err }))
  }
}

/** Rejects with `database_unavailable` when the result takes too long. */
async function withinWait<Value>(result: Promise<Value>, clock: Clock): Promise<Value> {
  const late = Promise.withResolvers<never>()
  const timer = clock.after(MAX_WAIT_MS, () => late.reject(new VeraError('database_unavailable')))
  try {
    return await Promise.race([result, late.promise])
  } finally {
    timer.cancel()
  }
}

/** True for a VeraError with this code. */
export const isCode = (error: unknown, code: VeraError['code']): boolean =>
  error instanceof VeraError && error.code === code

/** The operations that respond from the memory of the replicas. */
const FROM_MEMORY = new RegExp(
  '^(?:/metrics|/v1/(?:session|status|telephones|replicas|outages|match|traffic|live|limits|doctor|' +
    'requests(?:/[^/]+)?|services/[^/]+/processes))$',
)

const worksWithoutDatabase = ({ req }: Context<AdminEnv>): boolean =>
  req.method === 'GET' && FROM_MEMORY.test(req.path)
