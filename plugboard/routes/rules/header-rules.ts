// Edits of the header fields of requests to the backend, or of responses to the client: first remove, then set, then add.

import { recordOf } from '@vera-stack/shared/schema/record-of.ts'
import { z } from 'zod'
import { EDITABLE_NAMES, editableFieldName, FIELD_NAMES, fieldTemplate, namedTwice } from './field-rules.ts'

const MAX_EDITS = 50

const editsOf = <Value extends z.ZodType>(value: Value) =>
  recordOf(editableFieldName, value)
    .refine(edits => Object.keys(edits).length <= MAX_EDITS, `has more than ${MAX_EDITS} fields`)
    .refine(edits => namedTwice(Object.keys(edits)) === undefined, 'has a field twice; case does not matter')
    .meta({
      propertyNames: FIELD_NAMES,
      maxProperties: MAX_EDITS,
      description: `${EDITABLE_NAMES} On a route with \`cors\`, responses cannot have other \`Access-Control-*\` fields.`,
    })

export const headerEditsSchema = z.strictObject({
  /** Fields to remove. */
  remove: z.array(editableFieldName).max(MAX_EDITS).optional(),
  /** Fields to set in place of existing ones. */
  set: editsOf(fieldTemplate).optional(),
  /** Fields to add to existing ones. A list adds one line for each value. */
  add: editsOf(z.union([fieldTemplate, z.array(fieldTemplate).min(1).max(20)])).optional(),
})
export type HeaderEditRules = z.output<typeof headerEditsSchema>
