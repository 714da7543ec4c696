// The change log over HTTP: who changed what, newest first; what came after a given change; and the same as it
// happens, as server-sent events.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { ClientShares, DEFAULT_CLIENT_SHARE_PERCENT } from '@vera-stack/shared/client-shares.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { CHANGE_ENTITIES } from '../../database/store/store.ts'
import { storedText } from '../../database/store/stored-text.ts'
import { requirePermission } from '../access/authenticate.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { changeBody, changeSchema } from '../bodies/change.ts'
import { operation, problems } from '../http/openapi.ts'
import { pageBody, pageQuery, pageResponse } from '../http/page.ts'
import { streamChanges } from './change-stream.ts'

const sequence = z
  .string()
  .regex(/^\d{1,15}$/, 'a sequence number')
  .transform(Number)
  .openapi({ type: 'integer', minimum: 0, maximum: 999_999_999_999_999 })

const listOperation = operation(
  { permission: 'changes:read' },
  {
    method: 'get',
    path: '/v1/changes',
    operationId: 'listChanges',
    tags: ['changes'],
    summary: 'List changes: newest first, or with `after` oldest first',
    request: {
      query: z.strictObject({
        ...pageQuery,
        after: sequence
          .optional()
          .openapi({ description: 'Only later ones, oldest first; goes with `limit` alone.' }),
        entity: z.enum(CHANGE_ENTITIES).optional(),
        entityId: storedText(0, 255).optional(),
        actor: storedText(0, 255).optional(),
      }),
    },
    responses: { 200: pageResponse(changeSchema, 'Change', 'A page of changes.') },
  },
)

export function addChangeOperations(
  app: OpenAPIHono<AdminEnv>,
  deps: AdminDependencies,
  stopping: AbortSignal,
): void {
  const { store, maxEventStreams = 100 } = deps
  const open = new ClientShares(DEFAULT_CLIENT_SHARE_PERCENT)

  app.openapi(listOperation, async c => {
    const { after, ...query } = c.req.valid('query')
    if (after === undefined) return c.json(pageBody(c, await store.changes.list(query), changeBody), 200)
    const others = [query.cursor, query.entity, query.entityId, query.actor]
    if (others.some(value => value !== undefined)) {
      throw new VeraError('invalid_request', '`after` goes with `limit` alone.', { field: 'after' })
    }
    const limit = query.limit ?? 100
    const items = await store.changes.after(after, limit)
    // Whoever follows `after` goes on with the last sequence; there is no other cursor.
    return c.json(pageBody(c, { items, nextCursor: undefined }, changeBody), 200)
  })

  app.openAPIRegistry.registerPath({
    method: 'get',
    path: '/v1/changes/stream',
    operationId: 'streamChanges',
    tags: ['changes'],
    summary: 'Follow changes as they happen',
    description:
      'Server-sent events `change` with a Change as data and its sequence as id, from after `after` or ' +
      '`Last-Event-ID`, else from now. Needs the scope `changes:read`.',
    security: [{ apiKey: [] }],
    request: {
      query: z.strictObject({ after: sequence.optional() }),
      headers: z.looseObject({
        'last-event-id': sequence.optional().openapi({ description: 'Like `after`, which goes first.' }),
      }),
    },
    responses: {
      200: {
        description: 'Events, until either side ends.',
        content: { 'text/event-stream': { schema: z.string() } },
      },
      ...problems(
        'invalid_request',
        'unauthorized',
        'forbidden',
        'rate_limited',
        'database_unavailable',
        'overloaded',
        'concurrency_limited',
      ),
    },
  })
  app.get('/v1/changes/stream', requirePermission('changes:read'), async c => {
    const { after: [given, ...more] = [], ...others } = c.req.queries()
    const [other] = more.length > 0 ? ['after'] : Object.keys(others)
    if (other !== undefined)
      throw new VeraError('invalid_request', 'The query has one parameter, `after`, once.', { field: other })
    const text = given ?? c.req.header('last-event-id')
    const after = text === undefined ? await store.changes.latest() : sequence.safeParse(text).data
    if (after === undefined)
      throw new VeraError('invalid_request', 'This is no sequence number.', { field: 'after' })
    if (open.held >= maxEventStreams) throw new VeraError('overloaded', 'Too many event streams are open.')
    const key = c.get('key').id
    if (!open.allows(key, maxEventStreams)) {
      throw new VeraError('concurrency_limited', 'Too many event streams of this API key are open.')
    }
    open.add(key)
    return streamChanges(c, deps, { after, stopping, onEnd: () => open.remove(key) })
  })
}
