// The override of a process in the rows of telephones and processes that the admin API lists.

import { z } from 'zod'
import type { DirectoryOverride } from '../../routes/directory.ts'

const overrideSchema = z.strictObject({
  id: z.string().meta({ description: 'The id of the override: `/v1/overrides/{id}`.' }),
  version: z.int().meta({ description: 'The version of the override, for If-Match.' }),
  weight: z
    .int()
    .nullable()
    .meta({ description: '0: no new requests (drain). null: the announced weight applies.' }),
  ejectedUntil: z.iso.datetime().nullable().meta({
    description: 'The process gets no requests until then. null: it is not ejected by an operator.',
  }),
  reason: z.string().nullable(),
  setBy: z.string().meta({ description: 'The name of the API key that wrote it last.', example: 'ana' }),
})

/** In the row of a process; null: the process has no override. */
export const shownOverrideSchema = overrideSchema.nullable().meta({
  description:
    'The override of the process: the weight or the ejection that an operator has set. null: the process has none.',
})
export type ShownOverride = z.infer<typeof overrideSchema>

export function shownOverride(row: DirectoryOverride | undefined): ShownOverride | null {
  if (row === undefined) return null
  const { id, version, weight, ejectedUntilMs, reason, setBy } = row
  const ejectedUntil = ejectedUntilMs === null ? null : new Date(ejectedUntilMs).toISOString()
  return { id, version, weight, ejectedUntil, reason, setBy }
}
