// A failed attempt to serve a request, as the inspector and `plugboard explain` show it.

import { z } from 'zod'

export const failedAttemptSchema = z.strictObject({
  telephone: z.string(),
  replicaId: z.string().meta({ description: 'The replica that holds the tunnel of the Telephone.' }),
  code: z.string().meta({ description: 'The code that a client would get for this failure.' }),
  cause: z.string().nullable(),
  detail: z.string().nullable(),
  afterMs: z.number().meta({ description: 'Time from the start of the request to this failure.' }),
})
export type FailedAttempt = z.infer<typeof failedAttemptSchema>
