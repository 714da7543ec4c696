// Reads the change log for an event stream: in order, without gaps, and in batches. A gap in the log itself becomes a reset event. A
// batch ends with the revocation of the key of the stream.

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { SSEMessage } from 'hono/streaming'
import type { ReadPosition } from '../../../database/store/changes/log-gap.ts'
import type { ChangeFilters, NamedChange, Store } from '../../../database/store/store.ts'
import { isKeyRevoked } from '../../access/is-key-revoked.ts'
import { changeBody, type ResetBody } from '../../bodies/changes/change.ts'
import { acceptsAll, positionOf } from './change-query.ts'

const BATCH = 100

export interface NextChanges {
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

export interface ChangeReaderOptions {
  readonly store: Pick<Store, 'changes' | 'adminKeys'>
  readonly filters: ChangeFilters
  /** The key of the stream. */
  readonly keyId: string
}

/** Resolves with the changes after a position; without changes while the database is unavailable. */
export type ReadChanges = (after: ReadPosition) => Promise<NextChanges>

export function changeReader({ store, filters, keyId }: ChangeReaderOptions): ReadChanges {
  const revocation: ChangeFilters = { entities: ['admin_key'], entityId: keyId, action: 'revoked' }
  return async after => {
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
          isRevoked: await isKeyRevoked(store, keyId),
        }
      }
      const { sequence } = after
      if (acceptsAll(filters)) {
        return allChanges(await store.changes.after(sequence, BATCH), { sequence, changeId }, keyId)
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
}

/** Returns the events of a batch. The id of each one is a position, from which the client continues. */
export function changeEvents({ reset, changes, through }: NextChanges): SSEMessage[] {
  const events: SSEMessage[] = changes.map(change => ({
    event: 'change',
    id: positionOf(positionAt(change)),
    data: JSON.stringify(changeBody(change)),
  }))
  if (reset === undefined) return events
  return [{ event: 'reset', id: positionOf(through), data: JSON.stringify(reset) }, ...events]
}
