// The note about replicas whose data is missing. Without the note, a list without their rows looks complete.

import type { MissingReplicas } from '../../admin/api-types.ts'
import type { Output } from '../output/output.ts'

/** Writes the note to the standard error, so that programs read only rows from the standard output. */
export function noteMissing(output: Output, missing: MissingReplicas): void {
  for (const { id, reason } of missing) output.note(`note: data of replica ${id} is missing: ${reason}`)
}
