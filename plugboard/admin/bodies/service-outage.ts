// A service that has routes but no line that takes requests, with the reason. live/service-outages.ts creates the rows.

import { z } from '@hono/zod-openapi'
import { timestamp } from '../http/formats.ts'
import { missingReplicasSchema } from './replica.ts'

/** Outages in one response. */
export const MAX_OUTAGES = 100
/** Mounts in the row of one service. */
export const MAX_OUTAGE_MOUNTS = 3

const REASONS = [
  'never_connected',
  'disconnected',
  'replica_lost',
  'unhealthy',
  'no_weight',
  'refused',
] as const

export const outageSchema = z
  .strictObject({
    service: z.string(),
    routes: z.int(),
    mounts: z.array(z.string()).openapi({ description: `The first ${MAX_OUTAGE_MOUNTS}.` }),
    lines: z.int().openapi({ description: 'Open lines that take no requests.' }),
    reason: z.enum(REASONS).openapi({
      description:
        '`never_connected`: no telephone has served the service since the replicas started; `disconnected`: the last ' +
        'telephone has disconnected; `replica_lost`: the replica that held the last tunnel cannot be reached; ' +
        '`unhealthy`: all lines are down; `no_weight`: all lines have weight 0; `refused`: a telephone is connected, but ' +
        'Plugboard refused its announcement.',
    }),
    since: timestamp,
    observed: z.boolean().openapi({
      description:
        'true: the last line ended at `since`. false: no replica has seen a line; `since` is the start of the oldest replica.',
    }),
    detail: z.string().openapi({ description: 'The reason as one sentence, for people.' }),
  })
  .openapi('Outage')
export type OutageBody = z.infer<typeof outageSchema>

export const outagesSchema = z
  .strictObject({
    items: z.array(outageSchema),
    total: z
      .int()
      .openapi({ description: `The number of all outages; \`items\` has the first ${MAX_OUTAGES}.` }),
    missingReplicas: missingReplicasSchema,
  })
  .openapi('Outages')
export type OutagesBody = z.infer<typeof outagesSchema>
