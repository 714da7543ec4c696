// The change log over HTTP: a list of changes with their authors, newest first; a list of the changes after a sequence; and a
// stream of new changes as server-sent events.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { requirePermission } from '../../access/permission.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { changeBody, changeSchema } from '../../bodies/changes/change.ts'
import type { EventStreams } from '../../http/event-streams.ts'
import { eventStreamResponses, operation } from '../../http/openapi.ts'
import { pageBody, pageQuery, pageResponse } from '../../http/page.ts'
import { parsedQuery } from '../../http/parsed-query.ts'
import { changeFilterQuery, filtersOf, positionText, sequenceText } from './change-query.ts'
import { streamChanges } from './change-stream.ts'
import { lastEventHeader, lastEventPosition } from './last-event.ts'

const listOperation = operation(
  { permission: 'changes:read', fails: ['not_found', 'precondition_failed'] },
  {
    method: 'get',
    path: '/v1/changes',
    operationId: 'listChanges',
    tags: ['changes'],
    summary: 'List changes, newest first; with `after`, oldest first',
    request: {
      query: z.strictObject({
        ...pageQuery,
        after: sequenceText.optional().openapi({
          description:
            'Only changes after this sequence. The list is then oldest first. 0: all changes of the log. When the log does not ' +
            'have all changes after the sequence, because old changes were deleted or the database was restored from a backup, ' +
            'the response is 412.',
        }),
        before: sequenceText.optional().openapi({ description: 'Only changes before this sequence.' }),
        ...changeFilterQuery,
      }),
    },
    responses: { 200: pageResponse(changeSchema, 'Change', 'A page of changes.') },
  },
)

const streamQuery = z.strictObject({ after: positionText.optional(), ...changeFilterQuery })

export function addChangeOperations(
  app: OpenAPIHono<AdminEnv>,
  deps: AdminDependencies,
  { streams, stopping }: { readonly streams: EventStreams; readonly stopping: AbortSignal },
): void {
  const { store } = deps

  app.openapi(listOperation, async c => {
    const { after, before, limit, cursor, ...query } = c.req.valid('query')
    const filters = await filtersOf(query, store)
    const page = await store.changes.list({ ...filters, after, before, limit, cursor })
    return c.json(pageBody(c, page, changeBody), 200)
  })

  app.openAPIRegistry.registerPath({
    method: 'get',
    path: '/v1/changes/stream',
    operationId: 'streamChanges',
    tags: ['changes'],
    summary: 'Follow changes as they happen',
    description:
      'Server-sent events. `change` has a Change. The stream begins after the position in `after` or `Last-Event-ID`: the id of ' +
      'an event, or a sequence. Without both, it begins with the next change. A client that reconnects sends the same filters ' +
      'again. `reset` reports that changes are missing, because old changes were deleted (`reason` is `pruned`) or the ' +
      'database was restored from a backup (`restored`). The client then reads all rows again. `oldest` and `newest` are ' +
      'sequences of the log, and the stream continues after `newest`. Needs the scope `changes:read`.',
    security: [{ apiKey: [] }],
    request: {
      query: streamQuery,
      headers: lastEventHeader('The same as `after`. When both are present, `after` applies.'),
    },
    responses: eventStreamResponses('not_found'),
  })
  app.get('/v1/changes/stream', requirePermission('changes:read'), async c => {
    const { after: given, ...query } = parsedQuery(streamQuery, c.req.queries())
    const after = given ?? (await lastEventPosition(c, store))
    const filters = await filtersOf(query, store)
    const onEnd = streams.open(c.get('key').id)
    return streamChanges(c, deps, { after, filters, stopping, onEnd })
  })
}
