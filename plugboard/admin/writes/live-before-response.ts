// A client often uses a change in its next request. So the response to a change waits until this replica has applied the change.
// Other replicas apply it within milliseconds too, but the response does not wait for them.

import type { MiddlewareHandler } from 'hono'
import { waitUntilApplied } from '../../routes/applied-changes.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { BUNDLE_PATH } from '../bundle/bundle-path.ts'

/** The response is sent after this time in any case, because the change is in the database. */
const TIMEOUT_MS = 1000
/** For a bundle: a replica loads all rows anew after many changes. */
const BUNDLE_TIMEOUT_MS = 10_000

const READING = new Set(['GET', 'HEAD', 'OPTIONS'])

export function liveBeforeResponse({
  store,
  directory,
  clock,
  log,
}: AdminDependencies): MiddlewareHandler<AdminEnv> {
  return async (c, next) => {
    await next()
    if (READING.has(c.req.method) || !c.res.ok || c.req.query('dryRun') === 'true') return
    try {
      const timeoutMs = c.req.path === BUNDLE_PATH ? BUNDLE_TIMEOUT_MS : TIMEOUT_MS
      await waitUntilApplied({ changes: store.changes, directory, clock, timeoutMs })
    } catch (error) {
      // An error response would mean that the change has failed.
      log.warn('an admin response was sent before this replica applied the change', { err: error })
    }
  }
}
