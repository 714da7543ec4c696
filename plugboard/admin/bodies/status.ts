// The state of the replica that responds, with the counts of its routes, tunnels and streams, and the replicas of the cluster.

import { z } from '@hono/zod-openapi'
import { tokenRefusalsSchema } from '../../telephones/tokens/token-refusals.ts'
import { failureFields } from './failure.ts'
import { limitsSchema } from './policy/limit-counters.ts'
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
    telephone: failureFields.telephone.openapi({
      description: 'The telephone that received the request. null: no telephone received it.',
    }),
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
        'lost: notifications of changes do not arrive, for example because a connection pooler in transaction mode drops ' +
        'them. Then this replica finds changes by polling.',
    }),
    tableSource: z.enum(['database', 'snapshot']).nullable(),
    appliedSequence: z
      .int()
      .openapi({ description: 'The sequence of the last change that this replica has applied.' }),
    latestSequence: z
      .int()
      .nullable()
      .openapi({ description: 'The sequence of the last change in the database. null: unknown.' }),
    routes: z.int(),
    services: z.int(),
    telephones: z.int().openapi({
      description: 'Processes that are connected to this replica. Each may have several tunnels.',
    }),
    tunnels: z.int(),
    streams: z.int(),
    tokenRefusals: z.strictObject(tokenRefusalsSchema.shape).openapi({
      description: 'Refusals because of the limits of tokens, on this replica since its start.',
    }),
    traffic: trafficSchema.nullable().openapi({
      description: 'The traffic of this replica. null: the public port is not open yet.',
    }),
    limits: limitsSchema,
    lastErrors: z.array(failedServiceSchema).openapi({
      description: `The last failed request of each service on this replica since its start, for at most ${MAX_LAST_ERRORS} services; the newest first.`,
    }),
    replicas: z.array(replicaSchema),
    lines: z.array(serviceLinesSchema).openapi({ description: 'The lines of each service, by replica.' }),
  })
  .openapi('Status')
export type StatusBody = z.infer<typeof statusSchema>
