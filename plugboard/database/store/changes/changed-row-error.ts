// The error of an undo whose row has changed since: the values that the change wrote, and the values of now.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'

/** One value of a row that is not as it is expected. */
export interface RowDifference {
  /** JSON pointer into the row, such as `/options/stripMount`. */
  readonly pointer: string
  /** The value that the change wrote. Undefined: no value. */
  readonly expected: unknown
  /** The value of now. Undefined: no value. */
  readonly actual: unknown
}

const MAX_SHOWN = 5
const MAX_VALUE = 60

export class ChangedRowError extends VeraError {
  readonly differences: readonly RowDifference[]

  /** `row`: the kind and the name of the row. */
  constructor(sequence: number, row: string, differences: readonly RowDifference[]) {
    const shown = differences
      .slice(0, MAX_SHOWN)
      .map(({ pointer, expected, actual }) => `${pointer}: ${valueText(expected)} → ${valueText(actual)}`)
    if (differences.length > MAX_SHOWN) shown.push(`${differences.length - MAX_SHOWN} more`)
    const detail =
      `The ${row} has changed since change ${sequence} (${shown.join(', ')}). Undo the later changes first, ` +
      'or change the row.'
    super('precondition_failed', detail)
    this.name = 'ChangedRowError'
    this.differences = differences
  }
}

function valueText(value: unknown): string {
  if (value === undefined || value === null) return 'unset'
  return cutText(typeof value === 'string' ? value : JSON.stringify(value), MAX_VALUE)
}
