// A service as the API shows it, and the bodies of requests that create and change services.

import { z } from '@hono/zod-openapi'
import type { Service } from '../../database/store/store.ts'
import { servicePolicyInputSchema } from '../../routes/options/service-policy.ts'
import { id, jsonObject, serviceNameText, timestamp } from '../http/formats.ts'
import { mergePatchOf } from '../writes/merge-patch.ts'

export const serviceSchema = z
  .strictObject({
    id,
    name: z.string().openapi({ example: 'shop' }),
    policy: jsonObject.openapi({ description: 'The stored policy. Absent keys have their defaults.' }),
    routes: z.int().openapi({
      description:
        'The number of its routes, in the view of this replica. The ETag does not depend on this field and the next one.',
    }),
    lastRequestAt: timestamp.nullable().openapi({
      description:
        'The last request of its routes, late by up to two minutes. null: no request was recorded.',
    }),
    version: z.int().openapi({ description: 'The number in the ETag. Each change increases it.' }),
    createdAt: timestamp,
    updatedAt: timestamp,
    deletedAt: timestamp.nullable(),
  })
  .openapi('Service')
export type ServiceBody = z.infer<typeof serviceSchema>

export const newServiceSchema = z
  .strictObject({ name: serviceNameText, policy: servicePolicyInputSchema.optional() })
  .openapi('NewService')
export const serviceChangeSchema = z
  .strictObject({
    name: serviceNameText.optional(),
    policy: mergePatchOf(servicePolicyInputSchema).optional().openapi({
      description:
        'Keys in this object change; null sets the default again. Other keys stay (RFC 7396, one level deep).',
    }),
  })
  .openapi('ServiceChange')

/** The facts about a service that are not in its row. */
interface ServiceFigures {
  readonly routes: number
  readonly lastRequestAt: Date | null
}
const NEW_SERVICE: ServiceFigures = { routes: 0, lastRequestAt: null }

/** `figures`: default: those of a new service. */
export const serviceBody = (row: Service, figures: ServiceFigures = NEW_SERVICE): ServiceBody => ({
  id: row.id,
  name: row.name,
  policy: row.policy,
  routes: figures.routes,
  lastRequestAt: figures.lastRequestAt?.toISOString() ?? null,
  version: row.version,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
  deletedAt: row.deletedAt?.toISOString() ?? null,
})
