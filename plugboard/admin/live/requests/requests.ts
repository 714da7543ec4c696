// The requests that failed or were slow, and the live log of all requests. Works without the database.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { limitOf } from '../../../database/store/values/page.ts'
import type { ObserveViewer } from '../../../observe/stream/observe-viewer.ts'
import { requirePermission } from '../../access/permission.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { explanationSchema, requestFilterQuery, requestPageSchema } from '../../bodies/requests/request.ts'
import type { EventStreams } from '../../http/event-streams.ts'
import { eventStreamResponses, json, LINK_HEADER, operation } from '../../http/openapi.ts'
import { linkToNext, pageQuery } from '../../http/page.ts'
import { parsedQuery } from '../../http/parsed-query.ts'
import { streamLive } from './live-stream.ts'
import { MIN_PREFIX } from './request-view.ts'

const tags = ['requests']

const listOperation = operation(
  { permission: 'traffic:read' },
  {
    method: 'get',
    path: '/v1/requests',
    operationId: 'listRequests',
    tags,
    summary: 'List the last failed or slow requests of all replicas, newest first',
    description:
      'Each replica keeps the last 5,000 in memory: 3,000 that failed because of Plugboard or a backend, 1,000 that were refused because of ' +
      'the client, and 1,000 that were slow or retried.',
    request: { query: z.strictObject({ ...pageQuery, ...requestFilterQuery.shape }) },
    responses: { 200: { ...json(requestPageSchema, 'A page of requests.'), headers: LINK_HEADER } },
  },
)

const explainOperation = operation(
  { permission: 'traffic:read', fails: ['not_found', 'conflict'] },
  {
    method: 'get',
    path: '/v1/requests/{requestId}',
    operationId: 'explainRequest',
    tags,
    summary: 'Explain why a request failed',
    request: {
      params: z.strictObject({
        requestId: z.string().openapi({
          description: `The id on the error page, or at least its first ${MIN_PREFIX} characters.`,
          example: '0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5e',
        }),
      }),
    },
    responses: { 200: json(explanationSchema, 'The request, its attempts, and what to do next.') },
  },
)

export function addRequestOperations(
  app: OpenAPIHono<AdminEnv>,
  deps: AdminDependencies,
  { streams, stopping }: { readonly streams: EventStreams; readonly stopping: AbortSignal },
): void {
  const { requests } = deps

  app.openapi(listOperation, async c => {
    const { limit, cursor, ...filter } = c.req.valid('query')
    const page = await requests.list(filter, limitOf({ limit }), cursor)
    linkToNext(c, page.next)
    return c.json(page, 200)
  })

  app.openAPIRegistry.registerPath({
    method: 'get',
    path: '/v1/requests/stream',
    operationId: 'streamRequests',
    tags,
    summary: 'Follow requests as they end, on all replicas',
    description:
      'Server-sent events. `request` has a Request. `replicas` has `watched` (the ids of the replicas that send their lines) and ' +
      '`missing` (the others, each with the reason), at the start and after a change. `dropped` has `replicaId` and `count`: ' +
      'a replica sends at most 1,000 lines in a second; with null, the reader was too slow. Needs the scope `traffic:read`.',
    security: [{ apiKey: [] }],
    request: { query: requestFilterQuery },
    responses: eventStreamResponses(),
  })
  app.get('/v1/requests/stream', requirePermission('traffic:read'), c => {
    const filter = parsedQuery(requestFilterQuery, c.req.queries())
    const onEnd = streams.open(c.get('key').id)
    const watch = (viewer: ObserveViewer) => deps.liveLog.watch(filter, viewer)
    return streamLive(c, deps, { event: 'request', watch, stopping, onEnd })
  })

  app.openapi(explainOperation, async c =>
    c.json(await requests.explain(c.req.valid('param').requestId), 200),
  )
}
