// The history of the tunnels of telephones, and the result of a disconnect, as the API shows them and as replicas send them.

import { z } from '@hono/zod-openapi'
import { tunnelEventSchema } from '../../telephones/tunnels/tunnel-history.ts'
import { missingReplicasSchema } from './replica.ts'

/** Events in a response, over all replicas. */
export const MAX_SHOWN_EVENTS = 200
const MAX_NAMES = 1000

const endsSchema = z.record(z.string(), z.record(z.string(), z.int()))

export const tunnelHistorySchema = z
  .strictObject({
    items: z.array(z.strictObject(tunnelEventSchema.shape).openapi('TunnelEvent')).openapi({
      description: `The events of the telephone in \`name\`, the newest first; at most ${MAX_SHOWN_EVENTS}. Empty without a name.`,
    }),
    ends: endsSchema.openapi({
      description:
        'The ends of tunnels since the start of each replica, by the name of the telephone and by reason. Planned moves between ' +
        `replicas count too. At most ${MAX_NAMES} names of each replica.`,
    }),
    missingReplicas: missingReplicasSchema,
  })
  .openapi('TunnelHistory')
export type TunnelHistoryBody = z.infer<typeof tunnelHistorySchema>

/** The history of another replica. A newer version may add keys and kinds of events. */
export const remoteTunnelHistorySchema = z.object({
  items: z.array(z.object(tunnelEventSchema.shape)).max(MAX_SHOWN_EVENTS),
  ends: endsSchema,
})
export type RemoteTunnelHistory = z.infer<typeof remoteTunnelHistorySchema>

export const disconnectedSchema = z
  .strictObject({
    tunnels: z.int().openapi({
      description: 'Closed tunnels on all replicas. With dryRun=true: the tunnels that would be closed.',
    }),
    missingReplicas: missingReplicasSchema,
  })
  .openapi('DisconnectedTelephone')
export type DisconnectedBody = z.infer<typeof disconnectedSchema>
