// The traffic of routes in the last 10 minutes. live/traffic/route-traffic-view.ts creates this body.

import { z } from '@hono/zod-openapi'
import { id } from '../http/formats.ts'
import { missingReplicasSchema } from './replica.ts'

/** Routes in one response. */
export const MAX_TRAFFIC_ROUTES = 100

const column = (description: string) => z.array(z.number().nullable()).openapi({ description })

const routeTrafficItemSchema = z.strictObject({
  id,
  counted: z.boolean().openapi({
    description:
      'false: a replica counts this route together with others, because the route is not among its busiest ones. The traffic ' +
      'is not known then, and the lists are empty.',
  }),
  requests: column('Requests that ended in each interval. null: no replica has data of the interval.'),
  serverErrors: column('The number of these requests with 5xx.'),
  p95Ms: z.number().nullable().openapi({
    description:
      '95 % of the requests of all intervals had a shorter time to the head of the response, ms. An estimate. null: no response.',
  }),
})
export type RouteTrafficItem = z.infer<typeof routeTrafficItemSchema>

export const routeTrafficSchema = z
  .strictObject({
    from: z.iso.datetime().openapi({ description: 'The start of the first interval.' }),
    resolution: z.literal(10).openapi({ description: 'Seconds of an interval.' }),
    items: z.array(routeTrafficItemSchema).openapi({
      description: 'Routes that do not exist are left out.',
    }),
    missingReplicas: missingReplicasSchema,
  })
  .openapi('RouteTraffic')
export type RouteTrafficBody = z.infer<typeof routeTrafficSchema>
