// Edits of a request's fields on their way to the backend, or of an answer's on their way back: remove, then set, then
// add.

import { recordOf } from '@vera-stack/shared/record-of.ts'
import { z } from 'zod'
import { EDITABLE_NAMES, editableFieldName, FIELD_NAMES, fieldTemplate, namedTwice } from './field-rules.ts'

const MAX_EDITS = 50

const editsOf = <Value extends z.ZodType>(value: Value) =>
  recordOf(editableFieldName, value)
    .refine(edits => Object.keys(edits).length <= MAX_EDITS, `has more than ${MAX_EDITS} fields`)
    .refine(edits => namedTwice(Object.keys(edits)) === undefined, 'names a field twice; names have no case')
    .meta({
      propertyNames: FIELD_NAMES,
      maxProperties: MAX_EDITS,
      description: `${EDITABLE_NAMES} On a route with \`cors\`, responses cannot have other \`Access-Control-*\` fields.`,
    })

export const headerEditsSchema = z.strictObject({
  /** Whatever is there under these names goes out. */
  remove: z.array(editableFieldName).max(MAX_EDITS).optional(),
  /** Instead of whatever is there. */
  set: editsOf(fieldTemplate).optional(),
  /** Beside what is there; a list adds a line for each. */
  add: editsOf(z.union([fieldTemplate, z.array(fieldTemplate).min(1).max(20)])).optional(),
})
export type HeaderEditRules = z.output<typeof headerEditsSchema>
