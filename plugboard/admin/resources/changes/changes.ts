// The change log over HTTP: a list of changes with their authors, newest first; a list of the changes after a sequence; and a
// stream of new changes as server-sent events.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { ClientShares, DEFAULT_CLIENT_SHARE_PERCENT } from '@vera-stack/shared/client-shares.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { CHANGE_ENTITIES } from '../../../database/store/store.ts'
import { storedText } from '../../../database/store/values/stored-text.ts'
import { requirePermission } from '../../access/authenticate.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { changeBody, changeSchema } from '../../bodies/change.ts'
import { operation, problems } from '../../http/openapi.ts'
import { pageBody, pageQuery, pageResponse } from '../../http/page.ts'
import { streamChanges } from './change-stream.ts'

const sequence = z
  .string()
  .regex(/^\d{1,15}$/, 'is not a sequence: use the `sequence` of a change')
  .transform(Number)
  .openapi({ type: 'integer', minimum: 0, maximum: 999_999_999_999_999 })

const listOperation = operation(
  { permission: 'changes:read' },
  {
    method: 'get',
    path: '/v1/changes',
    operationId: 'listChanges',
    tags: ['changes'],
    summary: 'List changes, newest first; with `after`, oldest first',
    request: {
      query: z.strictObject({
        ...pageQuery,
        after: sequence.optional().openapi({
          description:
            'Only changes after this sequence, oldest first. Only `limit` may be used together with it.',
        }),
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
      const detail = 'Only `limit` may be used together with `after`. Remove the other parameters.'
      throw new VeraError('invalid_request', detail, { field: 'after' })
    }
    const limit = query.limit ?? 100
    const items = await store.changes.after(after, limit)
    // A client continues with the sequence of the last item as `after`, so the page has no cursor.
    return c.json(pageBody(c, { items, nextCursor: undefined }, changeBody), 200)
  })

  app.openAPIRegistry.registerPath({
    method: 'get',
    path: '/v1/changes/stream',
    operationId: 'streamChanges',
    tags: ['changes'],
    summary: 'Follow changes as they happen',
    description:
      'Server-sent events `change`, each with a Change as data and its sequence as id. The stream begins after the sequence ' +
      'in `after` or `Last-Event-ID`; without both, it begins with the next change. Needs the scope `changes:read`.',
    security: [{ apiKey: [] }],
    request: {
      query: z.strictObject({ after: sequence.optional() }),
      headers: z.looseObject({
        'last-event-id': sequence
          .optional()
          .openapi({ description: 'The same as `after`. When both are present, `after` applies.' }),
      }),
    },
    responses: {
      200: {
        description: 'Events, until the client or the server ends the stream.',
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
      throw new VeraError('invalid_request', 'The only parameter is `after`. Send it once.', { field: other })
    const text = given ?? c.req.header('last-event-id')
    const after = text === undefined ? await store.changes.latest() : sequence.safeParse(text).data
    if (after === undefined)
      throw new VeraError('invalid_request', 'This is not a sequence. Use the `sequence` of a change.', {
        field: 'after',
      })
    if (open.held >= maxEventStreams)
      throw new VeraError('overloaded', `All ${maxEventStreams} event streams are open. Try again later.`)
    const key = c.get('key').id
    if (!open.allows(key, maxEventStreams)) {
      const detail = 'Too many event streams of this API key are open. Close one of them.'
      throw new VeraError('concurrency_limited', detail)
    }
    open.add(key)
    return streamChanges(c, deps, { after, stopping, onEnd: () => open.remove(key) })
  })
}
