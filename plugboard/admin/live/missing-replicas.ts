// Replicas that gave no response to a question about the whole cluster, as the API shows them beside the rows of the others.

import { z } from '@hono/zod-openapi'

export const missingReplicasSchema = z
  .array(
    z.strictObject({
      id: z.string().openapi({ description: 'Its name; its address when it was never reached.' }),
      reason: z.string().openapi({ example: 'there is no link to it' }),
    }),
  )
  .openapi('MissingReplicas', {
    description: 'Replicas that gave no response. What they alone know is not in this result..',
  })

export type MissingReplicas = z.infer<typeof missingReplicasSchema>
