// The note about replicas that gave no response: a list that lacks them must not look complete.

import type { MissingReplicas } from '../../admin/api-types.ts'
import type { Output } from '../output/output.ts'

/** On the standard error, so that programs which read the rows get them alone. */
export function noteMissing(output: Output, missing: MissingReplicas): void {
  for (const { id, reason } of missing) output.note(`note: replica ${id} gave no response: ${reason}`)
}
