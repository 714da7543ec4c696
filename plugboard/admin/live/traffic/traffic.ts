// The traffic for charts: the last hours, and live. Both work without the database; changes follow when it is back.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Context } from 'hono'
import type { ReadPosition } from '../../../database/store/changes/log-gap.ts'
import { MAX_WATCHED_SERVICES } from '../../../observe/traffic/traffic-feed.ts'
import type { Resolution } from '../../../observe/traffic/traffic-history.ts'
import { requirePermission } from '../../access/permission.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { MAX_TRAFFIC_ROUTES, routeTrafficSchema } from '../../bodies/route-traffic.ts'
import { trafficSeriesSchema } from '../../bodies/traffic-series.ts'
import type { EventStreams } from '../../http/event-streams.ts'
import { eventStreamResponses, json, operation } from '../../http/openapi.ts'
import { numberQuery } from '../../http/page.ts'
import { parsedQuery } from '../../http/parsed-query.ts'
import { lastEventHeader, lastEventPosition } from '../../resources/changes/last-event.ts'
import { streamDashboard } from './dashboard-stream.ts'

const ID = '[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}'
const IDS = new RegExp(`^${ID}(?:,${ID}){0,${MAX_TRAFFIC_ROUTES - 1}}$`)

const trafficOperation = operation(
  { permission: 'status:read' },
  {
    method: 'get',
    path: '/v1/traffic',
    operationId: 'readTraffic',
    tags: ['status'],
    summary: 'Read the traffic of the last minutes or hours, for charts',
    description:
      'Each replica keeps a point for each second of the last 10 minutes, for each 10 seconds of the last 2 hours, and for each ' +
      'minute of the last 24 hours: for all requests together, and for each of its 50 busiest services. A request counts when ' +
      'it ends. A restart of a replica deletes its points. Quantiles are estimates.',
    request: {
      query: z.strictObject({
        resolution: z
          .enum(['1', '10', '60'])
          .default('10')
          .openapi({ description: 'Seconds of an interval.' }),
        service: z
          .string()
          .min(1)
          .max(255)
          .optional()
          .openapi({ description: 'Name of a service. Default: all requests.' }),
        points: numberQuery(1440, 'Number of the newest intervals. Default: all.'),
      }),
    },
    responses: { 200: json(trafficSeriesSchema, 'One list for each figure, the oldest interval first.') },
  },
)

const routeTrafficOperation = operation(
  { permission: 'status:read' },
  {
    method: 'get',
    path: '/v1/traffic/routes',
    operationId: 'readRouteTraffic',
    tags: ['status'],
    summary: 'Read the traffic of routes in the last 10 minutes',
    description:
      'Each replica keeps a point for each 10 seconds, for at most 1000 routes: the busiest ones of those that have metrics of their ' +
      'own (setting `metricsRoutes`). It counts all other routes together, so their traffic is not known. A request counts when it ' +
      'ends. A restart of a replica deletes its points.',
    request: {
      query: z.strictObject({
        ids: z
          .string()
          .regex(IDS, `is not a list of at most ${MAX_TRAFFIC_ROUTES} ids of routes, with commas`)
          .openapi({
            description: `At most ${MAX_TRAFFIC_ROUTES} ids of routes, with commas.`,
            example: '7d3f4a5e-1c1b-4e0e-9d5c-2f1f6a0b8c11',
          }),
      }),
    },
    responses: { 200: json(routeTrafficSchema, 'The routes in the order of the request.') },
  },
)

/** Names of services do not contain commas. */
const NAMES = new RegExp(`^[^,]{1,63}(?:,[^,]{1,63}){0,${MAX_WATCHED_SERVICES - 1}}$`)

const liveQuery = z.strictObject({
  services: z
    .string()
    .regex(NAMES, `is not a list of at most ${MAX_WATCHED_SERVICES} names of services, with commas`)
    .optional()
    .openapi({
      description: 'Names of services, with commas. The event `traffic` then has their points too.',
      example: 'shop,cart',
    }),
})

export function addTrafficOperations(
  app: OpenAPIHono<AdminEnv>,
  deps: AdminDependencies,
  { streams, stopping }: { readonly streams: EventStreams; readonly stopping: AbortSignal },
): void {
  app.openapi(trafficOperation, async c => {
    const { resolution, service, points } = c.req.valid('query')
    return c.json(await deps.trafficView.read(Number(resolution) as Resolution, service, points), 200)
  })

  app.openapi(routeTrafficOperation, async c => {
    const ids = new Set(c.req.valid('query').ids.toLowerCase().split(','))
    return c.json(await deps.routeTraffic.read([...ids]), 200)
  })

  app.openAPIRegistry.registerPath({
    method: 'get',
    path: '/v1/live',
    operationId: 'streamLive',
    tags: ['status'],
    summary: 'Follow traffic, lines and changes on all replicas, for dashboards',
    description:
      'Server-sent events. `traffic` is sent once a second for each replica. It has `replicaId`, `second` (since 1970), a point in ' +
      '`total`, and a point for each service in `services`. A point is a list: the numbers of requests with 1xx or 2xx, 3xx, 4xx ' +
      'and 5xx, the bytes of requests, and the bytes of responses. When there were responses, six times in ms follow: p50, p95 ' +
      'and p99 of the time to the head, and the mean times of the wait, the tunnel and the backend. `lines` has the `services` ' +
      'whose lines have changed; `more` is true when there are others. `change` has a Change, for keys with the scope ' +
      '`changes:read`. `replicas` and `dropped` are those of `/v1/requests/stream`. Needs the scope `status:read`.',
    security: [{ apiKey: [] }, { session: [] }],
    request: { query: liveQuery, headers: lastEventHeader('The changes after this one are sent first.') },
    responses: eventStreamResponses(),
  })
  app.get('/v1/live', requirePermission('status:read'), async c => {
    const services = parsedQuery(liveQuery, c.req.queries()).services?.split(',') ?? []
    const after = await startPosition(c, deps)
    const onEnd = streams.open(c.get('key').id)
    return streamDashboard(c, deps, { services, after, stopping, onEnd })
  })
}

/** Resolves with the position after which the stream sends changes. */
async function startPosition(
  c: Context<AdminEnv>,
  { store, directory }: Pick<AdminDependencies, 'store' | 'directory'>,
): Promise<ReadPosition> {
  try {
    return await lastEventPosition(c, store)
  } catch (error) {
    if (!(error instanceof VeraError) || error.code !== 'database_unavailable') throw error
    // The page reads its rows when it opens the stream, so it needs only later changes.
    return { sequence: directory.appliedSequence }
  }
}
