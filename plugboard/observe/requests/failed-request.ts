// A request that failed or was slow, as `plugboard explain` shows it: its line, its failed attempts, and the lines of its service at
// that moment. Replicas send this shape to each other.

import { failedAttemptSchema } from '@vera-stack/shared/inspect/failed-attempt.ts'
import { requestLineSchema } from '@vera-stack/shared/inspect/request-line.ts'
import { z } from 'zod'

/** Telephones in the snapshot of the lines of a service. */
export const MAX_SNAPSHOT_LINES = 8

export const linesSnapshotSchema = z.strictObject({
  total: z.int(),
  serving: z.int().meta({ description: 'Lines that could take a request.' }),
  items: z
    .array(
      z.strictObject({
        telephone: z.string(),
        replicaId: z.string(),
        state: z.enum(['serving', 'down', 'no_weight', 'ejected', 'unreachable', 'full']),
      }),
    )
    .max(MAX_SNAPSHOT_LINES),
})
export type LinesSnapshot = z.infer<typeof linesSnapshotSchema>

export const failedRequestSchema = z.strictObject({
  request: requestLineSchema,
  attempts: z.array(failedAttemptSchema),
  lines: linesSnapshotSchema.nullable().meta({
    description: 'The lines of the service at the end of the request. null: the request found no service.',
  }),
})
export type FailedRequest = z.infer<typeof failedRequestSchema>

/** The response of another replica. Keys of a newer version are removed. */
export const remoteFailedRequestSchema = z.object({
  request: z.object(requestLineSchema.shape),
  attempts: z.array(z.object(failedAttemptSchema.shape)),
  lines: z
    .object({
      total: z.int(),
      serving: z.int(),
      items: z.array(z.object({ telephone: z.string(), replicaId: z.string(), state: z.string() })),
    })
    .nullable(),
})
