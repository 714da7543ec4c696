// One event stream of changes. The directory reports that new changes exist. The stream then reads them from the change log, in
// order and without gaps, also after it missed reports. A slow reader does not slow other readers.

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { Wakeup } from '../../../common/wakeup.ts'
import type { ChangeFilters, NamedChange } from '../../../database/store/store.ts'
import { isExpired } from '../../access/credential-state.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { changeBody } from '../../bodies/changes/change.ts'
import { acceptsAll } from './change-query.ts'

/** Time between comments. The comments prevent proxies from closing an idle stream. */
const KEEP_ALIVE_MS = 15_000
const BATCH = 100

interface NextChanges {
  readonly changes: readonly NamedChange[]
  /** The sequence after which the next read begins. */
  readonly through: number
  /** True when further changes can be read at once. */
  readonly more: boolean
  /** True when the key of the stream has been revoked. */
  readonly isRevoked: boolean
}

/** Returns a batch without filters. It ends with the revocation of the key, if that is in it. */
function allChanges(found: readonly NamedChange[], after: number, keyId: string): NextChanges {
  const revoked = found.findIndex(
    ({ entity, entityId, action }) => entity === 'admin_key' && entityId === keyId && action === 'revoked',
  )
  const changes = revoked === -1 ? found : found.slice(0, revoked + 1)
  return {
    changes,
    through: changes.at(-1)?.sequence ?? after,
    more: found.length === BATCH,
    isRevoked: revoked !== -1,
  }
}

export function streamChanges(
  c: Context<AdminEnv>,
  deps: Pick<AdminDependencies, 'store' | 'directory' | 'clock'>,
  options: {
    readonly after: number
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

  const { filters } = options
  const revocation: ChangeFilters = { entities: ['admin_key'], entityId: key.id, action: 'revoked' }
  /** Resolves with the next changes; without changes while the database is unavailable. */
  const read = async (after: number): Promise<NextChanges> => {
    try {
      if (acceptsAll(filters)) return allChanges(await store.changes.after(after, BATCH), after, key.id)
      // The head is read first, so a change up to it is in the lists, or does not fit the filters.
      const head = Math.max(after, await store.changes.latest())
      const [revoked] = await store.changes.after(after, 1, revocation)
      const found = await store.changes.after(after, BATCH, filters)
      const end = revoked?.sequence ?? Number.POSITIVE_INFINITY
      const isFull = found.length === BATCH
      return {
        changes: found.filter(({ sequence }) => sequence <= end),
        through: isFull ? found.at(-1)!.sequence : head,
        more: isFull,
        isRevoked: revoked !== undefined,
      }
    } catch (error) {
      if (error instanceof VeraError && error.code === 'database_unavailable') {
        return { changes: [], through: after, more: false, isRevoked: false }
      }
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
          const { changes, through, more, isRevoked } = await read(last)
          for (const change of changes) {
            await stream.writeSSE({
              event: 'change',
              id: String(change.sequence),
              data: JSON.stringify(changeBody(change)),
            })
          }
          last = through
          if (isRevoked) return
          if (more) continue
          const woken = await wakeup.wait(KEEP_ALIVE_MS)
          // The id moves a client with filters on, so that it does not read changes again that do not fit.
          if (!woken && !stream.aborted) await stream.write(`: still here\nid: ${last}\n\n`)
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
