// One event stream of changes. The directory reports that new changes exist. The stream then reads them from the change log, in
// order and without gaps, also after it missed reports. A gap in the log itself becomes an event. A slow reader does not slow other
// readers.

import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { Wakeup } from '../../../common/wakeup.ts'
import type { ReadPosition } from '../../../database/store/changes/log-gap.ts'
import type { ChangeFilters } from '../../../database/store/store.ts'
import { isExpired } from '../../access/credential-state.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { positionOf } from './change-query.ts'
import { changeEvents, changeReader } from './change-reader.ts'

/** Time between comments. The comments prevent proxies from closing an idle stream. */
const KEEP_ALIVE_MS = 15_000
export function streamChanges(
  c: Context<AdminEnv>,
  deps: Pick<AdminDependencies, 'store' | 'directory' | 'clock'>,
  options: {
    readonly after: ReadPosition
    readonly filters: ChangeFilters
    readonly stopping: AbortSignal
    readonly onEnd: () => void
  },
): Response {
  const { store, directory, clock } = deps
  const key = c.get('key')
  const log = c.get('log')
  const wakeup = new Wakeup(clock)
  const unsubscribe = directory.subscribe({ applied: () => wakeup.wake() })
  const stop = (): void => wakeup.wake()
  options.stopping.addEventListener('abort', stop, { once: true })

  const read = changeReader({ store, filters: options.filters, keyId: key.id })

  return streamSSE(
    c,
    async stream => {
      stream.onAbort(stop)
      try {
        let last = options.after
        await stream.write(': changes follow\n\n')
        while (!stream.aborted && !options.stopping.aborted && !isExpired(key, clock)) {
          const next = await read(last)
          for (const event of changeEvents(next)) await stream.writeSSE(event)
          last = next.through
          if (next.isRevoked) return
          if (next.more) continue
          const woken = await wakeup.wait(KEEP_ALIVE_MS)
          // The id moves a client with filters on, so that it does not read changes again that do not fit.
          if (!woken && !stream.aborted) await stream.write(`: still here\nid: ${positionOf(last)}\n\n`)
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
