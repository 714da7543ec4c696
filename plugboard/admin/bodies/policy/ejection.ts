// The processes that passive ejection has taken out of the choice, and its counts, as the API shows them and as replicas send
// them to each other. The fields are those of telephones/outliers/ejection-list.ts.

import { z } from '@hono/zod-openapi'
import {
  listedEjectionSchema,
  MAX_EJECTIONS,
  serviceEjectionsSchema,
} from '../../../telephones/outliers/ejection-list.ts'
import { missingReplicasSchema } from '../replica.ts'

export const ejectionsSchema = z
  .strictObject({
    items: z.array(z.strictObject(listedEjectionSchema.shape).openapi('Ejection')).openapi({
      description: `The processes that are ejected or half-open, and those that were lately. At most ${MAX_EJECTIONS} of each replica.`,
    }),
    services: z
      .array(z.strictObject(serviceEjectionsSchema.shape).openapi('ServiceEjections'))
      .openapi({ description: 'Counts since the start of each replica, for services with an ejection.' }),
    missingReplicas: missingReplicasSchema,
  })
  .openapi('Ejections')
export type EjectionsBody = z.infer<typeof ejectionsSchema>

/** The response of another replica. Further keys of a newer version are removed. */
export const remoteEjectionsSchema = z.object({
  items: z.array(z.object(listedEjectionSchema.shape)).max(MAX_EJECTIONS),
  services: z.array(z.object(serviceEjectionsSchema.shape)),
})
export type ReplicaEjections = z.infer<typeof remoteEjectionsSchema>
