// A replay: the edits of the captured request, and the result with the differences of both responses.

import { z } from '@hono/zod-openapi'
import { exchangeSchema } from './exchange.ts'

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/

export const replayInputSchema = z
  .strictObject({
    telephone: z.string().min(1).max(255).optional().openapi({
      description:
        'The name of the only telephone that gets the request. Default: the balancing policy decides.',
      example: 'canary-1',
    }),
    method: z
      .string()
      .regex(/^[A-Z-]{1,20}$/, 'is not a method such as GET')
      .optional()
      .openapi({ example: 'GET' }),
    target: z
      .string()
      .max(8192)
      .regex(
        /^\/[\x21-\x7e]*$/,
        'is not a path with a query: begin with /, and write other characters as %xx',
      )
      .optional()
      .openapi({ description: 'Path and query.', example: '/orders?page=2' }),
    fields: z
      .record(
        z.string().regex(TOKEN, 'is not the name of a field'),
        z
          .string()
          .max(16_384)
          .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'has a character that a field cannot have')
          .nullable()
          .openapi({ description: 'The value. The name is a token (RFC 9110, section 5.6.2).' }),
      )
      .optional()
      .openapi({
        description:
          'Fields to set, in place of the same fields of the exchange; null removes a field. Give values of masked fields here.',
        example: { Authorization: 'Bearer secret' },
      }),
    body: z.string().max(262_144).nullable().optional().openapi({
      description: 'The body, in place of the body of the exchange; null: no body.',
    }),
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
