// One event stream of changes. The directory reports that new changes exist. The stream then reads them from the change log, in
// order and without gaps, also after it missed reports. A gap in the log itself becomes an event. A slow reader does not slow other
// readers.

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { Wakeup } from '../../../common/wakeup.ts'
import type { ReadPosition } from '../../../database/store/changes/log-gap.ts'
import type { ChangeFilters, NamedChange } from '../../../database/store/store.ts'
import { isExpired } from '../../access/credential-state.ts'
import { isKeyRevoked } from '../../access/is-key-revoked.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { changeBody, type ResetBody } from '../../bodies/changes/change.ts'
import { acceptsAll, positionOf } from './change-query.ts'

/** Time between comments. The comments prevent proxies from closing an idle stream. */
const KEEP_ALIVE_MS = 15_000
const BATCH = 100

interface NextChanges {
  /** The event about missing changes. `changes` is then empty. */
  readonly reset?: ResetBody | undefined
  readonly changes: readonly NamedChange[]
  /** The position after which the next read begins. */
  readonly through: ReadPosition
  /** True when further changes can be read at once. */
  readonly more: boolean
  /** True when the key of the stream has been revoked. */
  readonly isRevoked: boolean
}

/** Returns a batch without filters. It ends with the revocation of the key, if that is in it. */
function allChanges(found: readonly NamedChange[], after: ReadPosition, keyId: string): NextChanges {
  const revoked = found.findIndex(
    ({ entity, entityId, action }) => entity === 'admin_key' && entityId === keyId && action === 'revoked',
  )
  const changes = revoked === -1 ? found : found.slice(0, revoked + 1)
  const last = changes.at(-1)
  return {
    changes,
    through: last === undefined ? after : positionAt(last),
    more: found.length === BATCH,
    isRevoked: revoked !== -1,
  }
}

const positionAt = ({ sequence, id }: NamedChange): ReadPosition => ({ sequence, changeId: id })

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

  const { filters } = options
  const revocation: ChangeFilters = { entities: ['admin_key'], entityId: key.id, action: 'revoked' }
  /** Resolves with the next changes; without changes while the database is unavailable. */
  const read = async (after: ReadPosition): Promise<NextChanges> => {
    try {
      // The log may have been replaced while the stream was open, so each read checks it. The head is read before the changes, so a
      // change up to it is in the lists, or does not fit the filters.
      const { gap, newest, changeId = after.changeId } = await store.changes.continuation(after)
      // 0 asks for the oldest changes that the log has.
      if (gap !== undefined && (gap.reason === 'restored' || after.sequence > 0)) {
        const reset = { ...gap, newest: newest.sequence }
        // The revocation of the key may be among the missing changes.
        return {
          reset,
          changes: [],
          through: newest,
          more: false,
          isRevoked: await isKeyRevoked(store, key.id),
        }
      }
      const { sequence } = after
      if (acceptsAll(filters)) {
        return allChanges(await store.changes.after(sequence, BATCH), { sequence, changeId }, key.id)
      }
      const [revoked] = await store.changes.after(sequence, 1, revocation)
      const found = await store.changes.after(sequence, BATCH, filters)
      const end = revoked?.sequence ?? Number.POSITIVE_INFINITY
      const isFull = found.length === BATCH
      return {
        changes: found.filter(each => each.sequence <= end),
        through: isFull ? positionAt(found.at(-1)!) : newest,
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
          const { reset, changes, through, more, isRevoked } = await read(last)
          if (reset !== undefined) {
            await stream.writeSSE({ event: 'reset', id: positionOf(through), data: JSON.stringify(reset) })
          }
          for (const change of changes) {
            await stream.writeSSE({
              event: 'change',
              id: positionOf(positionAt(change)),
              data: JSON.stringify(changeBody(change)),
            })
          }
          last = through
          if (isRevoked) return
          if (more) continue
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
