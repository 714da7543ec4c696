// A replay: the edits of the captured request, and the result with the differences of both responses.

import { z } from '@hono/zod-openapi'
import { replayEditsSchema } from '@vera-stack/shared/inspect/replay/replay-edits.ts'
import { exchangeSchema } from './exchange.ts'

export const replayInputSchema = z
  .strictObject({
    telephone: z.string().min(1).max(255).optional().openapi({
      description:
        'The name of the only telephone that gets the request. Default: the balancing policy decides.',
      example: 'canary-1',
    }),
    ...replayEditsSchema.shape,
  })
  .openapi('Replay')
export type ReplayInput = z.output<typeof replayInputSchema>

const changed = <Value extends z.ZodType>(value: Value) => z.strictObject({ before: value, after: value })
const differenceText = z.string().nullable()

export const responseDiffSchema = z
  .strictObject({
    status: changed(z.int().nullable()).openapi({ description: 'null: there is no response.' }),
    fields: z.array(z.strictObject({ name: z.string(), ...changed(z.array(z.string())).shape })).openapi({
      description: 'The fields that differ, without Date, Age, Content-Length and X-Request-ID.',
    }),
    body: z.strictObject({
      equal: z.boolean(),
      bytes: changed(z.int()),
      differences: z
        .array(
          z.strictObject({
            at: z.string().openapi({ description: 'A JSON pointer, or `line 3`.' }),
            before: differenceText,
            after: differenceText,
          }),
        )
        .openapi({ description: 'At most 100. null: there is no value.' }),
      more: z.int().openapi({ description: 'The number of further differences.' }),
    }),
  })
  .openapi('ResponseDiff')
export type ResponseDiffBody = z.infer<typeof responseDiffSchema>

export const replayedSchema = z
  .strictObject({
    exchange: exchangeSchema,
    leftOut: z.array(z.string()).openapi({
      description: 'Masked values that were left out: names of fields and parameters, and JSON pointers.',
    }),
    diff: responseDiffSchema,
  })
  .openapi('Replayed')
export type ReplayedBody = z.infer<typeof replayedSchema>
