// The processes that passive ejection has taken out of the choice, and its counts, as the API shows them and as replicas send
// them to each other. The fields are those of telephones/outliers/ejection-list.ts.

import { z } from '@hono/zod-openapi'
import {
  listedEjectionSchema,
  MAX_EJECTIONS,
  remoteEjectionFields,
  serviceEjectionsSchema,
} from '../../../telephones/outliers/ejection-list.ts'
import { missingReplicasSchema } from '../replica.ts'
import { breakerSchema, remoteSubsetFields, subsetStateSchema } from './service-processes.ts'

/** Stopped subsets, and open breakers, in the list of one replica. */
export const MAX_STOPPED = 500

const place = { service: z.string(), replicaId: z.string() } as const
const stoppedSubset = { ...place, ...subsetStateSchema.shape } as const
const stoppedSubsetSchema = z.strictObject(stoppedSubset).openapi('StoppedSubset')
export type StoppedSubsetBody = z.infer<typeof stoppedSubsetSchema>
const openBreaker = { ...place, ...breakerSchema.shape } as const
const openBreakerSchema = z.strictObject(openBreaker).openapi('OpenBreaker')
export type OpenBreakerBody = z.infer<typeof openBreakerSchema>

export const ejectionsSchema = z
  .strictObject({
    items: z.array(z.strictObject(listedEjectionSchema.shape).openapi('Ejection')).openapi({
      description: `The processes that are ejected or half-open, or were a short time ago. At most ${MAX_EJECTIONS} of each replica.`,
    }),
    services: z
      .array(z.strictObject(serviceEjectionsSchema.shape).openapi('ServiceEjections'))
      .openapi({ description: 'Counts since the start of each replica, for services with an ejection.' }),
    subsets: z.array(stoppedSubsetSchema).openapi({
      description:
        'Subsets that their guard has stopped, and subsets that get a part of their percentage after a stop.',
    }),
    breakers: z
      .array(openBreakerSchema)
      .openapi({ description: 'Services whose circuit breaker is open or half-open.' }),
    missingReplicas: missingReplicasSchema,
  })
  .openapi('Ejections')
export type EjectionsBody = z.infer<typeof ejectionsSchema>

/** The response of another replica. Further keys of a newer version are removed. */
export const remoteEjectionsSchema = z.object({
  items: z.array(z.object({ ...listedEjectionSchema.shape, ...remoteEjectionFields })).max(MAX_EJECTIONS),
  services: z.array(z.object(serviceEjectionsSchema.shape)),
  // A replica of an older version does not send the following lists.
  subsets: z
    .array(z.object({ ...place, ...remoteSubsetFields }))
    .max(MAX_STOPPED)
    .default([]),
  breakers: z.array(z.object(openBreaker)).max(MAX_STOPPED).default([]),
})
export type ReplicaEjections = z.infer<typeof remoteEjectionsSchema>
