// Checks an API key. Wrong keys delay their address; a valid key is never delayed (active-key-cache.ts).

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Context } from 'hono'
import type { FailedAttempts } from '../../../common/passwords/failed-attempts.ts'
import type { AdminKey } from '../../../database/store/store.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { hashOf, looksLikeApiKey, prefixOf } from '../api-key-format.ts'
import { ActiveKeyCache } from './active-key-cache.ts'
import { isCode, type KeyLoader } from './key-loader.ts'
import { bucketOf, tooManyFailures } from './wrong-credentials.ts'

export interface ApiKeyCheckOptions extends Pick<AdminDependencies, 'store' | 'clock'> {
  readonly loader: KeyLoader
  readonly failures: FailedAttempts
}

export class ApiKeyCheck {
  readonly #loader: KeyLoader
  readonly #failures: FailedAttempts
  readonly #activeKeys: ActiveKeyCache

  constructor({ store, clock, loader, failures }: ApiKeyCheckOptions) {
    this.#loader = loader
    this.#failures = failures
    this.#activeKeys = new ActiveKeyCache({ load: () => store.adminKeys.activeHashes(), clock })
  }

  /** Resolves with the key. Rejects with `unauthorized`, `rate_limited` or `database_unavailable`. */
  async check(c: Context<AdminEnv>, credential: string): Promise<AdminKey> {
    const failures = this.#failures
    const hash = hashOf(credential)
    const bucket = bucketOf(c)
    const isKey = looksLikeApiKey(credential)
    const isRecent = this.#loader.isRecent(hash)
    const waitMs = isRecent ? 0 : failures.waitMs(bucket)
    if (waitMs > 0 && !(isKey && (await this.#activeKeys.has(prefixOf(credential), hash))))
      throw tooManyFailures(c, waitMs)
    // The failure is counted in advance, so that only a few of many concurrent attempts cause a query.
    const isCounted = !isRecent && waitMs === 0
    if (isCounted) failures.failed(bucket)
    try {
      if (!isKey) {
        const detail = 'The credential is not an API key: a key begins with vsk_ and has 57 characters.'
        throw new VeraError('unauthorized', detail)
      }
      const key = await this.#loader.load(c, prefixOf(credential), hash)
      if (isCounted) failures.forgive(bucket)
      return key
    } catch (error) {
      if (isCounted && isCode(error, 'database_unavailable')) failures.forgive(bucket)
      if (isRecent && isCode(error, 'unauthorized')) failures.failed(bucket)
      throw error
    }
  }
}
