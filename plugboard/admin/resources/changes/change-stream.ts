// One event stream of changes. The directory reports that new changes exist. The stream then reads them from the change log, in
// order and without gaps, also after it missed reports. A slow reader does not slow other readers.

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { Wakeup } from '../../../common/wakeup.ts'
import type { NamedChange } from '../../../database/store/store.ts'
import { isExpired } from '../../access/credential-state.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { changeBody } from '../../bodies/change.ts'

/** Time between comments. The comments prevent proxies from closing an idle stream. */
const KEEP_ALIVE_MS = 15_000
const BATCH = 100

export function streamChanges(
  c: Context<AdminEnv>,
  deps: Pick<AdminDependencies, 'store' | 'directory' | 'clock'>,
  options: { readonly after: number; readonly stopping: AbortSignal; readonly onEnd: () => void },
): Response {
  const { store, directory, clock } = deps
  const key = c.get('key')
  const log = c.get('log')
  const wakeup = new Wakeup(clock)
  const unsubscribe = directory.subscribe({ applied: () => wakeup.wake() })
  const stop = (): void => wakeup.wake()
  options.stopping.addEventListener('abort', stop, { once: true })

  const withdrawn = (change: NamedChange): boolean =>
    change.entity === 'admin_key' && change.entityId === key.id && change.action === 'revoked'
  /** Resolves with the next changes; with an empty list while the database is unavailable. */
  const read = async (after: number): Promise<readonly NamedChange[]> => {
    try {
      return await store.changes.after(after, BATCH)
    } catch (error) {
      if (error instanceof VeraError && error.code === 'database_unavailable') return []
      throw error
    }
  }

  return streamSSE(
    c,
    async stream => {
      stream.onAbort(stop)
      try {
        let last = options.after
        await stream.write(': changes follow\n\n')
        while (!stream.aborted && !options.stopping.aborted && !isExpired(key, clock)) {
          const changes = await read(last)
          for (const change of changes) {
            await stream.writeSSE({
              event: 'change',
              id: String(change.sequence),
              data: JSON.stringify(changeBody(change)),
            })
            last = change.sequence
            if (withdrawn(change)) return
          }
          if (changes.length === BATCH) continue
          const woken = await wakeup.wait(KEEP_ALIVE_MS)
          if (!woken && !stream.aborted) await stream.write(': still here\n\n')
        }
      } finally {
        unsubscribe()
        options.stopping.removeEventListener('abort', stop)
        options.onEnd()
      }
    },
    error => {
      log.warn('event stream failed', { err: error })
      return Promise.resolve()
    },
  )
}
