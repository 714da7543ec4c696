// Who has changed something tries it next. So the answer to a change waits until this replica applies it: a route
// that was acknowledged here is served here. Other replicas follow within milliseconds of their own.

import type { MiddlewareHandler } from 'hono'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'

/** The change is acknowledged after this long in any case: it is in the database. */
const PATIENCE_MS = 1000

const READING = new Set(['GET', 'HEAD', 'OPTIONS'])

export function liveBeforeAnswer({
  store,
  directory,
  clock,
  log,
}: AdminDependencies): MiddlewareHandler<AdminEnv> {
  return async (c, next) => {
    await next()
    if (READING.has(c.req.method) || !c.res.ok) return
    const patience = new AbortController()
    const timer = clock.after(PATIENCE_MS, () => patience.abort(new Error('not applied in time')))
    try {
      await directory.waitForSequence(await store.changes.latest(), patience.signal)
    } catch (error) {
      // Done is done: the client must not think that its change has failed.
      log.warn('an admin response was sent before this replica applied the change', { err: error })
    } finally {
      timer.cancel()
    }
  }
}
