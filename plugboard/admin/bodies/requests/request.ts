// The requests that failed or were slow, as the API lists and explains them. The fields are those of observe/requests/.

import { z } from '@hono/zod-openapi'
import { failedAttemptSchema } from '@vera-stack/shared/inspect/failed-attempt.ts'
import { requestLineSchema } from '@vera-stack/shared/inspect/request-line.ts'
import { linesSnapshotSchema, MAX_SNAPSHOT_LINES } from '../../../observe/requests/failed-request.ts'
import { requestFilterFields } from '../../../observe/requests/request-filter.ts'
import { cursorText } from '../../http/formats.ts'
import { missingReplicasSchema } from '../replica.ts'

export const requestSchema = z.strictObject(requestLineSchema.shape).openapi('Request')
export type RequestBody = z.infer<typeof requestSchema>

export const requestFilterQuery = z.strictObject(requestFilterFields)

export const requestPageSchema = z
  .strictObject({
    items: z.array(requestSchema),
    next: cursorText
      .nullable()
      .openapi({ description: 'Cursor of the next page. null: this is the last page.' }),
    missingReplicas: missingReplicasSchema,
  })
  .openapi('RequestPage')
export type RequestPageBody = z.infer<typeof requestPageSchema>

export const failedAttemptBody = z.strictObject(failedAttemptSchema.shape).openapi('FailedAttempt')

export const explanationSchema = z
  .strictObject({
    request: requestSchema,
    meaning: z.string().nullable().openapi({
      description: 'What went wrong, in words. null: the request succeeded, and was slow or retried.',
    }),
    attempts: z.array(failedAttemptBody).openapi({ description: 'The failed attempts, in order.' }),
    lines: z
      .strictObject(linesSnapshotSchema.shape)
      .openapi('LinesSnapshot')
      .nullable()
      .openapi({
        description:
          `The lines of the service at the end of the request, as the replica saw them; at most ${MAX_SNAPSHOT_LINES} in ` +
          '`items`. null: the request found no service.',
      }),
    next: z.array(z.string()).openapi({ description: 'What to do next.' }),
    missingReplicas: missingReplicasSchema,
  })
  .openapi('Explanation')
export type ExplanationBody = z.infer<typeof explanationSchema>
