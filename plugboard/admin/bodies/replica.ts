// A replica in the view of the replica that responds, the lines of services by replica, and the replicas that sent no response.
// replica/cluster/replica-status.ts creates the rows.

import { z } from '@hono/zod-openapi'
import { timestamp } from '../http/formats.ts'

export const replicaSchema = z
  .strictObject({
    id: z.string().openapi({ description: 'The name of the replica, unique in the cluster.' }),
    name: z.string(),
    address: z
      .string()
      .openapi({ description: 'The address for other replicas; empty when there is only one replica.' }),
    publicUrl: z.string().nullable().openapi({
      description: 'The URL for telephones. null: telephones do not receive a URL of this replica.',
    }),
    state: z.enum(['ready', 'leaving', 'lost']),
    version: z.string(),
    startedAt: timestamp.nullable(),
    appliedSequence: z.int().nullable(),
    tunnels: z.int(),
    streams: z.int(),
    self: z.boolean(),
    link: z
      .enum(['open', 'accepted', 'none'])
      .nullable()
      .openapi({
        description:
          'open: this replica dialled the link; accepted: only the other replica could dial the link; none: there is no link; ' +
          'null: the row is this replica itself.',
      }),
    rttMs: z.number().nullable(),
    forwardedStreams: z
      .int()
      .openapi({ description: 'Open streams on the links between the two replicas, in both directions.' }),
    leaseMs: z
      .int()
      .nullable()
      .openapi({ description: 'The remaining time of its lease. At 0, its lines take no requests.' }),
    lines: z.int(),
    shareAgeMs: z
      .int()
      .nullable()
      .openapi({
        description:
          'The time since it sent its counts of rate limits, normally at most a second. null: the two replicas count separately, ' +
          'or the row is this replica itself.',
      }),
    disagreements: z.array(z.string()),
  })
  .openapi('Replica')
export type ReplicaBody = z.infer<typeof replicaSchema>

export const serviceLinesSchema = z
  .strictObject({ service: z.string(), replicas: z.record(z.string(), z.int()) })
  .openapi('ServiceLines')
export type ServiceLinesBody = z.infer<typeof serviceLinesSchema>

export const missingReplicasSchema = z
  .array(
    z.strictObject({
      id: z
        .string()
        .openapi({ description: 'The name of the replica; its address when it was never reached.' }),
      reason: z.string().openapi({ example: 'there is no link to it' }),
    }),
  )
  .openapi('MissingReplicas', {
    description:
      'Replicas whose response is missing as a whole or in part, with the reason. Data that only they have is missing in this result.',
  })

export type MissingReplicas = z.infer<typeof missingReplicasSchema>

export const replicasSchema = z
  .strictObject({
    items: z.array(replicaSchema),
    lines: z.array(serviceLinesSchema).openapi({ description: 'The lines of each service, by replica.' }),
    missingReplicas: missingReplicasSchema,
    rebalance: z.strictObject({ enabled: z.boolean(), asked: z.int() }).openapi({
      description:
        '`enabled`: this replica rebalances its tunnels. `asked`: the number of tunnels that it asked to move to a replica ' +
        'with fewer tunnels, since its start.',
    }),
  })
  .openapi('Replicas')
export type ReplicasBody = z.infer<typeof replicasSchema>
