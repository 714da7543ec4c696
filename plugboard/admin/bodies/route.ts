// A route as the API shows it, and the bodies of requests that create, change and prune routes.

import { z } from '@hono/zod-openapi'
import type { Route } from '../../database/store/store.ts'
import { storedText } from '../../database/store/values/stored-text.ts'
import { routeOptionsInputSchema, withoutRequirements } from '../../routes/options/route-options.ts'
import { id, jsonObject, mountText, timestamp } from '../http/formats.ts'
import { unusedForSchema } from '../http/lifetime.ts'
import { mergePatchOf } from '../writes/merge-patch.ts'

export const routeSchema = z
  .strictObject({
    id,
    mount: z.string().openapi({ example: 'app.example.com/api' }),
    host: z.string().openapi({ example: 'app.example.com' }),
    mountPath: z.string().openapi({ example: '/api' }),
    service: z.string().nullable().openapi({
      description: 'Name of the service. null: the route has no service, and Plugboard itself responds.',
      example: 'shop',
    }),
    serviceId: id.nullable(),
    options: jsonObject.openapi({
      description:
        'The options as they were written, with hashes in the place of passwords. An absent option has its default.',
    }),
    claimedBy: z
      .string()
      .nullable()
      .openapi({
        description:
          'Token whose telephone claimed this mount: the id of one of our tokens, or `<issuer>#sub:<subject>` for a token of ' +
          'an outside issuer. null: the route was created through this API.',
      }),
    lifetimeSeconds: z
      .number()
      .nullable()
      .openapi({
        description:
          'The time from the end of the last line of its telephones to the deletion of the route. null: the route stays ' +
          'until it is deleted through this API.',
      }),
    lastRequestAt: timestamp.nullable().openapi({
      description:
        'Late by up to two minutes; the ETag does not depend on this field. null: no request was recorded.',
    }),
    lastTelephone: z.string().nullable().openapi({
      description:
        'Name of the telephone that received the last request. null: no telephone received a request.',
    }),
    version: z.int().openapi({ description: 'The number in the ETag. Each change increases it.' }),
    createdAt: timestamp,
    updatedAt: timestamp,
    deletedAt: timestamp.nullable(),
  })
  .openapi('Route')
export type RouteBody = z.infer<typeof routeSchema>

export const routePruningSchema = z
  .strictObject({
    unusedFor: unusedForSchema,
    claimedOnly: z.boolean().default(false).openapi({
      description: 'Only routes that telephones have claimed.',
    }),
    dryRun: z
      .boolean()
      .default(false)
      .openapi({ description: 'true: list the routes, and delete no route.' }),
  })
  .openapi('RoutePruning')

export const prunedRoutesSchema = z
  .strictObject({
    items: z.array(routeSchema).openapi({
      description:
        'At most 500 routes, as they were before the deletion. With `dryRun`, the routes that would be deleted.',
    }),
    more: z.boolean().openapi({
      description: 'true: there are further routes without requests. Send the request again.',
    }),
    recordedSeconds: z.number().openapi({
      description: 'The total time during which replicas have recorded requests.',
    }),
    dryRun: z.boolean(),
  })
  .openapi('PrunedRoutes')
export type PrunedRoutesBody = z.infer<typeof prunedRoutesSchema>

export const serviceRef = storedText(1, 63).openapi({
  description: 'Name or id of a service.',
  example: 'shop',
})

export const newRouteSchema = z
  .strictObject({
    mount: mountText,
    service: serviceRef.nullable().optional().openapi({
      description:
        'Name or id of a service. null or absent: the route needs the option `redirect` or `respond`.',
    }),
    options: routeOptionsInputSchema.optional(),
  })
  .openapi('NewRoute')
export const routeChangeSchema = z
  .strictObject({
    mount: mountText.optional(),
    service: serviceRef.nullable().optional(),
    options: mergePatchOf(routeOptionsInputSchema).optional().openapi({
      description:
        'Keys in this object change; null sets the default again. Other keys stay (RFC 7396, one level deep).',
    }),
  })
  .openapi('RouteChange')

export const routeBody = (row: Route): RouteBody => ({
  id: row.id,
  mount: row.mount,
  host: row.host,
  mountPath: row.mountPath,
  service: row.serviceName,
  serviceId: row.serviceId,
  options: withoutRequirements(row.options),
  claimedBy: row.claimedBy,
  lifetimeSeconds: row.lifetimeMs === null ? null : row.lifetimeMs / 1000,
  lastRequestAt: row.lastRequestAt?.toISOString() ?? null,
  lastTelephone: row.lastTelephone,
  version: row.version,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
  deletedAt: row.deletedAt?.toISOString() ?? null,
})
