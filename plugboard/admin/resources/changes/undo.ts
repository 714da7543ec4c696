// Undo over HTTP: one change, or all changes from the newest one back to it. The rights of the caller are checked for each row,
// because the areas of the rows are in the log only.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { ChangedRowError } from '../../../database/store/changes/changed-row-error.ts'
import type { AdminKey, UndoneRow } from '../../../database/store/store.ts'
import { refuseBeyondLimits } from '../../access/key-limits.ts'
import { allows } from '../../access/scope.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { changeBody } from '../../bodies/changes/change.ts'
import { undoneSchema } from '../../bodies/changes/undone.ts'
import { json, operation } from '../../http/openapi.ts'
import { dryRunParameter, writerOf } from '../../writes/dry-run.ts'
import { sequenceText } from './change-query.ts'

const undoOperation = operation(
  {
    permission: { text: 'Needs the write scope of each changed row: `routes:write`, `services:write`.' },
    fails: ['not_found', 'conflict', 'mount_conflict', 'precondition_failed'],
  },
  {
    method: 'post',
    path: '/v1/changes/{sequence}/undo',
    operationId: 'undoChange',
    tags: ['changes'],
    summary: 'Undo a change of a route, a service or an override of a process',
    description:
      'Writes the row as it was before the change, as a new change: a created row is deleted, a deleted row is restored. When ' +
      'the row has changed since, the response is 412 with the `differences`. With `through`, undoes at most 1,000 changes in ' +
      'one transaction, the newest first. Changes of tokens and keys are final.',
    request: {
      params: z.object({
        sequence: sequenceText.openapi({
          description: 'The sequence of the change; the oldest one with `through`.',
        }),
      }),
      query: z.strictObject({
        ...dryRunParameter,
        through: z
          .union([z.literal('latest'), sequenceText])
          .optional()
          .openapi({
            type: 'string',
            pattern: '^(?:latest|\\d{1,15})$',
            description: 'The sequence of the newest change to undo, or `latest`. Absent: only one change.',
            example: 'latest',
          }),
      }),
    },
    responses: { 200: json(undoneSchema, 'The changes of the undo.') },
  },
)

export function addUndoOperation(app: OpenAPIHono<AdminEnv>, { store }: AdminDependencies): void {
  app.openapi(undoOperation, async c => {
    const { sequence } = c.req.valid('param')
    const { through } = c.req.valid('query')
    const key = c.get('key')
    let area: Area | undefined
    const permit = (row: UndoneRow): void => {
      area = AREAS[row.entity]
      refuseUndo(key, row)
    }
    try {
      const { changes, skipped } = await store.changes.undo({ sequence, through, permit }, writerOf(c))
      return c.json({ changes: changes.map(changeBody), skipped: [...skipped] }, 200)
    } catch (error) {
      // The right to write a row does not include the right to read it.
      const mayRead = allows(key.scopes, 'changes:read') || (area && allows(key.scopes, `${area}:read`))
      if (!(error instanceof ChangedRowError) || mayRead) throw error
      throw new VeraError(
        'precondition_failed',
        'The row has changed since. Read the row, and change it instead.',
      )
    }
  })
}

const AREAS = { route: 'routes', service: 'services', process_override: 'services' } as const
type Area = (typeof AREAS)[keyof typeof AREAS]

/** Throws `forbidden` when the key lacks the scope of the row, or the row is beyond the limits of the key. */
function refuseUndo(key: AdminKey, { entity, mounts, services }: UndoneRow): void {
  const permission = `${AREAS[entity]}:write` as const
  if (!allows(key.scopes, permission)) {
    throw new VeraError('forbidden', `The API key lacks the scope ${permission}.`)
  }
  refuseBeyondLimits(key, { mounts, services })
}
