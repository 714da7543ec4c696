// The edits of a person to a captured request, before it is sent again.

import { z } from 'zod'

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/

export const replayEditsSchema = z.strictObject({
  method: z
    .string()
    .regex(/^[A-Z-]{1,20}$/, 'is not a method such as GET')
    .optional()
    .meta({ example: 'GET' }),
  target: z
    .string()
    .max(8192)
    .regex(/^\/[\x21-\x7e]*$/, 'is not a path with a query: begin with /, and write other characters as %xx')
    .optional()
    .meta({ description: 'Path and query.', example: '/orders?page=2' }),
  fields: z
    .record(
      z.string().regex(TOKEN, 'is not the name of a field'),
      z
        .string()
        .max(16_384)
        .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'has a character that a field cannot have')
        .nullable()
        .meta({ description: 'The value. The name is a token (RFC 9110, section 5.6.2).' }),
    )
    .optional()
    .meta({
      description:
        'Fields to set, in place of the same fields of the exchange; null removes a field. Give values of masked fields here.',
      example: { Authorization: 'Bearer secret' },
    }),
  body: z.string().max(262_144).nullable().optional().meta({
    description: 'The body, in place of the body of the exchange; null: no body.',
  }),
})
export type ReplayEdits = z.output<typeof replayEditsSchema>
