// The state of the replica that responds, with the counts of everything that it holds, and the replicas of the cluster.

import { z } from '@hono/zod-openapi'
import { tokenRefusalsSchema } from '../../telephones/tokens/token-refusals.ts'
import { failureFields } from './failure.ts'
import { replicaSchema, serviceLinesSchema } from './replica.ts'
import { trafficSchema } from './traffic.ts'

/** Services whose last error the status shows. */
export const MAX_LAST_ERRORS = 10

const failedServiceSchema = z
  .strictObject({
    service: z.string(),
    mount: z
      .string()
      .nullable()
      .openapi({ description: 'The mount of one of its routes; null: it has no route.' }),
    ...failureFields,
    code: failureFields.code.openapi({
      description: 'A code of the error table.',
      example: 'backend_unreachable',
    }),
    telephone: failureFields.telephone.openapi({ description: 'null: no telephone had the request.' }),
  })
  .openapi('FailedService')
export type FailedServiceBody = z.infer<typeof failedServiceSchema>

export const statusSchema = z
  .strictObject({
    version: z.string(),
    ready: z.boolean(),
    draining: z.boolean(),
    database: z.enum(['reachable', 'unreachable']),
    notifications: z.enum(['received', 'lost']).openapi({
      description:
        'lost: a connection pooler in transaction mode, for example, drops them; changes are found by polling.',
    }),
    tableSource: z.enum(['database', 'snapshot']).nullable(),
    appliedSequence: z.int().openapi({ description: 'Of the last change that this replica has applied.' }),
    latestSequence: z
      .int()
      .nullable()
      .openapi({ description: 'Of the last change there is; null: unknown.' }),
    routes: z.int(),
    services: z.int(),
    telephones: z.int().openapi({ description: 'Processes; each may hold several tunnels.' }),
    tunnels: z.int(),
    streams: z.int(),
    tokenRefusals: z.strictObject(tokenRefusalsSchema.shape).openapi({
      description: 'Refused for the limits of a token, on this replica, since its start.',
    }),
    traffic: trafficSchema.nullable().openapi({ description: 'Of this replica; null: it serves none yet.' }),
    lastErrors: z.array(failedServiceSchema).openapi({
      description: `The last failed request of each service on this replica, since its start: the newest ${MAX_LAST_ERRORS}.`,
    }),
    replicas: z.array(replicaSchema),
    lines: z.array(serviceLinesSchema).openapi({ description: 'Of each service, by replica.' }),
  })
  .openapi('Status')
export type StatusBody = z.infer<typeof statusSchema>
