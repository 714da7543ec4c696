// The counters of rate limits and quotas on the replica that responds. replica/limits/request-limits.ts fills them in.

import { z } from '@hono/zod-openapi'

export const limitsSchema = z
  .strictObject({
    keys: z.int().openapi({ description: 'Keys of limits that are counted now.' }),
    maxKeys: z.int().openapi({ description: 'Most keys that are counted at once.' }),
    evictions: z.int().openapi({
      description:
        'Keys whose count was dropped before their quota was restored, because there were too many keys, since the start.',
    }),
    rejected: z.int().openapi({
      description:
        'Requests that limits have rejected since the start, without limits with `enforce: false`.',
    }),
    unwritten: z.int().openapi({
      description: 'Keys of windows of an hour or more whose last requests are not in the database yet.',
    }),
  })
  .openapi('Limits', { description: 'Rate limits and quotas on this replica.' })
export type LimitsBody = z.infer<typeof limitsSchema>
