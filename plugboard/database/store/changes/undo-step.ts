// One step of an undo, without a database: the state that a row must have, the state that it gets, and the differences between
// two states. A row of the log is the JSON of the table's row. A state is the part of it that people change.

import { isDeepStrictEqual } from 'node:util'
import { formatMount } from '@vera-stack/shared/mounts.ts'
import { isJsonObject, type JsonObject } from '../../../common/json.ts'
import { maskedPasswords } from '../../../common/passwords/masked-passwords.ts'
import type { Change, ChangeEntity } from '../store.ts'
import type { RowDifference } from './changed-row-error.ts'

/** The columns that an undo compares and writes. All other columns are counted or recorded by Plugboard. */
const COLUMNS = {
  route: ['host', 'mount_path', 'service_id', 'options', 'claimed_by', 'lifetime_ms'],
  service: ['name', 'policy', 'ephemeral'],
  process_override: ['service_id', 'instance', 'telephone', 'weight', 'ejected_until', 'reason', 'set_by'],
} as const
export type UndoEntity = keyof typeof COLUMNS

export type UndoStep =
  | { readonly kind: 'final'; readonly reason: string }
  | {
      readonly kind: 'write'
      readonly entity: UndoEntity
      readonly id: string
      /** The row that the change wrote; null: deleted. */
      readonly expected: JsonObject | null
      /** The row before the change, which it gets again; null: deleted. */
      readonly target: JsonObject | null
      /** The last known row. It is the content of a row that is created again. */
      readonly known: JsonObject
    }

/** Returns the step that undoes a change. The rows of `change` have the names of columns. */
export function undoStep(
  change: Pick<Change, 'entity' | 'entityId' | 'action' | 'before' | 'after'>,
): UndoStep {
  const { entity, entityId: id, action, before, after } = change
  if (!isUndoable(entity)) return { kind: 'final', reason: FINAL[entity] }
  const known = before ?? after
  if (action === 'purged' || known === null) {
    return { kind: 'final', reason: 'The row was deleted before this change. Undo its deletion instead.' }
  }
  return { kind: 'write', entity, id, expected: living(after), target: living(before), known }
}

const isUndoable = (entity: ChangeEntity): entity is UndoEntity => Object.hasOwn(COLUMNS, entity)

const FINAL = {
  token: 'Changes of tokens are final. Revoke the token, or issue another one.',
  admin_key: 'Changes of API keys are final. Revoke the key, or create another one.',
  signing_key: 'Changes of signing keys are final. Rotate the key to get another one.',
  inspection: 'This entry records a person who looked at exchanges. It changes nothing.',
} as const

/** Returns the row when it is not deleted. */
export function living(row: JsonObject | null): JsonObject | null {
  return row === null || typeof row.deleted_at === 'string' ? null : row
}

/** Returns the columns that `row` has. An entry of an older version lacks newer columns. */
export function contentOf(entity: UndoEntity, row: JsonObject): JsonObject {
  return Object.fromEntries(
    COLUMNS[entity].flatMap(column => (Object.hasOwn(row, column) ? [[column, row[column] ?? null]] : [])),
  )
}

/** Returns the values that differ between the row that a change wrote and the row of now. `names`: of services, by id. */
export function differences(
  entity: UndoEntity,
  expected: JsonObject | null,
  current: JsonObject | null,
  names: ReadonlyMap<string, string>,
): RowDifference[] {
  const [one, other] = [living(expected), living(current)]
  if (one === null && other === null) return []
  if (one === null || other === null) {
    return [{ pointer: '/deletedAt', expected: deletion(expected), actual: deletion(current) }]
  }
  const content = contentOf(entity, one)
  const actual = Object.fromEntries(
    Object.entries(contentOf(entity, other)).filter(([column]) => Object.hasOwn(content, column)),
  )
  if (isDeepStrictEqual(content, actual)) return []
  return compared(shown(content, names), shown(actual, names), '')
}

const deletion = (row: JsonObject | null): unknown => (row === null ? 'deleted' : (row.deleted_at ?? null))

/** Returns a row with the names of the API: `mount` and `service` in place of the columns. */
function shown(content: JsonObject, names: ReadonlyMap<string, string>): JsonObject {
  const {
    host,
    mount_path: path,
    service_id: id,
    claimed_by: claimedBy,
    lifetime_ms: lifetimeMs,
    ...rest
  } = content
  if (typeof host !== 'string' || typeof path !== 'string') {
    return typeof id === 'string' ? { ...rest, service: names.get(id) ?? id } : content
  }
  const service = typeof id === 'string' ? (names.get(id) ?? id) : null
  return { mount: formatMount({ host, path }), service, claimedBy, lifetimeMs, ...rest }
}

/** Compares the keys of two objects, and the keys of `options` and `policy`, as a change of the API does. */
function compared(expected: JsonObject, actual: JsonObject, path: string): RowDifference[] {
  return [...new Set([...Object.keys(expected), ...Object.keys(actual)])].flatMap(key => {
    const [one, other] = [expected[key], actual[key]]
    if (isDeepStrictEqual(one, other)) return []
    const pointer = `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (path === '' && isJsonObject(one) && isJsonObject(other)) return compared(one, other, pointer)
    return [{ pointer, expected: maskedPasswords(one), actual: maskedPasswords(other) }]
  })
}
