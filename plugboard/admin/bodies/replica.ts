// A replica as the replica that responds sees it, the lines of services by replica, and the replicas that gave no response.
// replica/cluster/replica-status.ts makes the rows.

import { z } from '@hono/zod-openapi'
import { timestamp } from '../http/formats.ts'

export const replicaSchema = z
  .strictObject({
    id: z.string().openapi({ description: 'Its name, unique in the cluster.' }),
    name: z.string(),
    address: z.string().openapi({ description: 'For other replicas; empty for one by itself.' }),
    publicUrl: z
      .string()
      .nullable()
      .openapi({ description: 'For telephones; null: telephones do not receive it.' }),
    state: z.enum(['ready', 'leaving', 'lost']),
    version: z.string(),
    startedAt: timestamp.nullable(),
    appliedSequence: z.int().nullable(),
    tunnels: z.int(),
    streams: z.int(),
    self: z.boolean(),
    link: z.enum(['open', 'accepted', 'none']).nullable().openapi({
      description:
        'open: dialled from here; accepted: only its own dial came through; null: this replica itself.',
    }),
    rttMs: z.number().nullable(),
    forwardedStreams: z.int().openapi({ description: 'On the links between the two, both ways.' }),
    leaseMs: z
      .int()
      .nullable()
      .openapi({ description: 'The rest of its lease; at 0 its lines do not count.' }),
    lines: z.int(),
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
      id: z.string().openapi({ description: 'Its name; its address when it was never reached.' }),
      reason: z.string().openapi({ example: 'there is no link to it' }),
    }),
  )
  .openapi('MissingReplicas', {
    description: 'Replicas that sent no response. Data that only they have is missing in this result.',
  })

export type MissingReplicas = z.infer<typeof missingReplicasSchema>

export const replicasSchema = z
  .strictObject({
    items: z.array(replicaSchema),
    lines: z.array(serviceLinesSchema).openapi({ description: 'On all replicas.' }),
    missingReplicas: missingReplicasSchema,
    rebalance: z.strictObject({ enabled: z.boolean(), asked: z.int() }).openapi({
      description: 'Tunnels of this replica that were asked to move to one with fewer.',
    }),
  })
  .openapi('Replicas')
export type ReplicasBody = z.infer<typeof replicasSchema>
