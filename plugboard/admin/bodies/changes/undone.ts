// The result of an undo, and the differences that prevent one.

import { z } from '@hono/zod-openapi'
import { changeSchema } from './change.ts'

export const undoneSchema = z
  .strictObject({
    changes: z.array(changeSchema).openapi({ description: 'The new changes, oldest first.' }),
    skipped: z
      .array(z.strictObject({ sequence: z.int(), reason: z.string() }))
      .openapi({ description: 'Changes of the range that are final, such as the revocation of a token.' }),
  })
  .openapi('Undone')
export type UndoneBody = z.infer<typeof undoneSchema>
