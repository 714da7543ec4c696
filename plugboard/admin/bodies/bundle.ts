// A bundle: all services and routes in one document, as `plugboard export` writes it, and the difference that its import made.

import { z } from '@hono/zod-openapi'
import { servicePolicyInputSchema } from '../../routes/options/service-policy.ts'
import { jsonObject, serviceNameText } from '../http/formats.ts'
import { newRouteSchema } from './route.ts'

/** An inspector ends after hours, so a bundle does not contain it. */
const bundleServiceSchema = z
  .strictObject({
    name: serviceNameText,
    policy: servicePolicyInputSchema.omit({ inspect: true }).optional(),
  })
  .openapi('BundleService')

/** For the document. bundle-scanner.ts and bundle-input.ts check the elements one by one, while the bundle arrives. */
export const bundleSchema = z
  .strictObject({
    version: z.literal(1).openapi({ description: 'The version of the format.' }),
    services: z.array(bundleServiceSchema).optional(),
    routes: z.array(newRouteSchema).optional(),
  })
  .openapi('Bundle', {
    description:
      'Services and routes without ids, versions and times. The whole policy and all options of each row: an absent key has ' +
      'its default.',
  })

const row = z
  .union([
    z.strictObject({ name: z.string(), policy: jsonObject }),
    z.strictObject({ mount: z.string(), service: z.string().nullable(), options: jsonObject }),
  ])
  .nullable()

export const bundleItemSchema = z
  .strictObject({
    action: z.enum(['created', 'changed', 'deleted']),
    entity: z.enum(['service', 'route']),
    name: z.string().openapi({ description: 'The name of the service, or the mount of the route.' }),
    before: row.openapi({ description: 'null: the row is created. Passwords and hashes are masked.' }),
    after: row.openapi({ description: 'null: the row is deleted.' }),
  })
  .openapi('BundleItem')
export type BundleItem = z.infer<typeof bundleItemSchema>

const countsSchema = z
  .strictObject({ created: z.int(), changed: z.int(), deleted: z.int(), unchanged: z.int() })
  .openapi('BundleCounts')

export const bundleResultSchema = z
  .strictObject({
    dryRun: z.boolean(),
    bundle: z.string().nullable().openapi({
      description: 'The field `bundle` of its entries in the change log. null: no row was written.',
    }),
    sequence: z.int().openapi({
      description:
        'The change log as it was read for the comparison or, after a write, with the last change of the bundle. Send it in ' +
        'If-Match of a later bundle.',
    }),
    services: countsSchema,
    routes: countsSchema,
    items: z.array(bundleItemSchema).openapi({ description: 'All differences, services first.' }),
  })
  .openapi('BundleResult')
export type BundleResultBody = z.infer<typeof bundleResultSchema>
