// A change as the API shows it, in lists and in event streams. A row of a route gets its mount and the name of its service. The
// stored row has only the host, the path and the id of the service.

import { z } from '@hono/zod-openapi'
import { formatMount } from '@vera-stack/shared/mounts.ts'
import type { JsonObject } from '../../../common/json.ts'
import { maskedPasswords } from '../../../common/passwords/masked-passwords.ts'
import { CHANGE_ACTIONS, CHANGE_ENTITIES, type NamedChange } from '../../../database/store/store.ts'
import { jsonObjectOrNull, timestamp } from '../../http/formats.ts'

const ROW =
  'The stored row, without secrets. A route also has `mount`, and `service`: the current name of its service; ' +
  'null: the route has no service.'

export const changeSchema = z
  .strictObject({
    sequence: z.int().openapi({ description: 'The number of the change. Sequences have no gaps.' }),
    id: z.string(),
    at: timestamp,
    actor: z.string().openapi({ example: 'admin-key:0199…' }),
    entity: z.enum(CHANGE_ENTITIES),
    entityId: z.string(),
    action: z.enum(CHANGE_ACTIONS),
    before: jsonObjectOrNull.openapi({ description: ROW }),
    after: jsonObjectOrNull.openapi({ description: ROW }),
    bundle: z.string().nullable().openapi({
      description: 'Changes of one bundle have the same value here. null: a single write.',
    }),
  })
  .openapi('Change')

export type ChangeBody = z.infer<typeof changeSchema>

/** The data of the event `reset`. */
export interface ResetBody {
  readonly reason: 'restored' | 'pruned'
  /** The oldest sequence of the log; 0: the log is empty. */
  readonly oldest: number
  /** The newest sequence of the log. The stream continues after it. */
  readonly newest: number
}

export const changeBody = (row: NamedChange): ChangeBody => ({
  sequence: row.sequence,
  id: row.id,
  at: row.at.toISOString(),
  actor: row.actor,
  entity: row.entity,
  entityId: row.entityId,
  action: row.action,
  // Routes contain hashes of passwords, which readers of the change log do not need.
  before: row.before && maskedPasswords(named(row, row.before, row.serviceBefore)),
  after: row.after && maskedPasswords(named(row, row.after, row.serviceAfter)),
  bundle: row.bundle,
})

function named({ entity }: NamedChange, stored: JsonObject, service: string | null): JsonObject {
  const { host, mountPath } = stored
  if (entity === 'process_override') return { ...stored, service }
  if (entity !== 'route' || typeof host !== 'string' || typeof mountPath !== 'string') return stored
  return { ...stored, mount: formatMount({ host, path: mountPath }), service }
}
