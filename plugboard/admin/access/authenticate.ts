// Authenticates a request by its key, its one-time link or its session. Each kind of credential has its own file in credentials/.
// A session needs no further check here: its cookie was verified when it was read.

import type { MiddlewareHandler } from 'hono'
import { FailedAttempts } from '../../common/passwords/failed-attempts.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { ApiKeyCheck } from './credentials/api-key-check.ts'
import { credentialOf } from './credentials/credential.ts'
import { KeyLoader } from './credentials/key-loader.ts'
import { LinkCheck } from './credentials/link-check.ts'
import { refuseMoreThanReading } from './embedding.ts'

/**
 * Returns a middleware that sets `key`, `by` and `session`, or throws `unauthorized`, `forbidden`, `rate_limited` or
 * `database_unavailable`.
 */
export function authenticate(
  deps: Pick<AdminDependencies, 'store' | 'clock' | 'sessions'>,
): MiddlewareHandler<AdminEnv> {
  const { clock, sessions } = deps
  const loader = new KeyLoader(deps)
  const parts = { ...deps, loader, failures: new FailedAttempts({ clock }) }
  const keys = new ApiKeyCheck(parts)
  const links = new LinkCheck(parts)

  return async (c, next) => {
    const credential = credentialOf(c, sessions)
    const key =
      credential.kind === 'key'
        ? await keys.check(c, credential.key)
        : credential.kind === 'link'
          ? await links.check(c, credential.code)
          : await loader.load(c, credential.session.keyPrefix, undefined)
    if (c.get('embeddingOrigin') !== undefined) refuseMoreThanReading(key)
    c.set('key', key)
    c.set('by', { actor: `admin-key:${key.id}`, keyId: key.id })
    c.set('session', credential.kind === 'session' ? credential.session : undefined)
    await next()
  }
}
