// A change as the API shows it, in lists and in event streams.

import { z } from '@hono/zod-openapi'
import { maskedPasswords } from '@vera-stack/shared/masked-passwords.ts'
import { CHANGE_ENTITIES, type Change } from '../database/store.ts'
import { jsonObjectOrNull, timestamp } from './operation.ts'

export const changeSchema = z
  .strictObject({
    sequence: z.int().openapi({ description: 'Without gaps.' }),
    id: z.string(),
    at: timestamp,
    actor: z.string().openapi({ example: 'admin-key:0199…' }),
    entity: z.enum(CHANGE_ENTITIES),
    entityId: z.string(),
    action: z.enum(['created', 'updated', 'deleted', 'restored', 'revoked', 'retired', 'purged']),
    before: jsonObjectOrNull,
    after: jsonObjectOrNull,
  })
  .openapi('Change')

export const changeBody = (row: Change): z.infer<typeof changeSchema> => ({
  sequence: row.sequence,
  id: row.id,
  at: row.at.toISOString(),
  actor: row.actor,
  entity: row.entity,
  entityId: row.entityId,
  action: row.action,
  // Routes hold hashes of passwords, which help nobody who reads what has changed.
  before: row.before && maskedPasswords(row.before),
  after: row.after && maskedPasswords(row.after),
})
