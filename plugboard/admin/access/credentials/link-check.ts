// Checks the code of a one-time link, and ends the link. Wrong codes delay their address.

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Context } from 'hono'
import type { FailedAttempts } from '../../../common/passwords/failed-attempts.ts'
import type { AdminKey } from '../../../database/store/store.ts'
import type { AdminEnv } from '../../admin-env.ts'
import type { DashboardSessions } from '../../session/dashboard-sessions.ts'
import type { KeyLoader } from './key-loader.ts'
import { bucketOf, tooManyFailures } from './wrong-credentials.ts'

export interface LinkCheckOptions {
  readonly sessions: DashboardSessions
  readonly loader: KeyLoader
  readonly failures: FailedAttempts
}

export class LinkCheck {
  readonly #options: LinkCheckOptions

  constructor(options: LinkCheckOptions) {
    this.#options = options
  }

  /** Resolves with the key that created the link. Rejects with `unauthorized`, `rate_limited` or `database_unavailable`. */
  async check(c: Context<AdminEnv>, code: string): Promise<AdminKey> {
    const { sessions, loader, failures } = this.#options
    const bucket = bucketOf(c)
    const waitMs = failures.waitMs(bucket)
    if (waitMs > 0) throw tooManyFailures(c, waitMs)
    const keyPrefix = sessions.keyOfLink(code)
    if (keyPrefix === undefined) {
      failures.failed(bucket)
      throw new VeraError(
        'unauthorized',
        'The link has been used, is older than an hour, or belongs to another replica. Run "plugboard dashboard" for a new one.',
      )
    }
    const key = await loader.load(c, keyPrefix, undefined)
    // Of two requests at once with the same link, one starts a session.
    if (sessions.redeemLink(code)) return key
    throw new VeraError('unauthorized', 'The link has just been used.')
  }
}
