// The override of a process as text.

import type { ShownOverride } from '../../../../admin/api-types.ts'
import { clockTime } from '../../parts/format.ts'

/** Returns `draining by ana`, or an empty text when the ejection is over and there is no weight. */
export function effectOf({ weight, ejectedUntil, setBy }: ShownOverride, nowMs = Date.now()): string {
  const parts: string[] = []
  if (weight === 0) parts.push(`draining by ${setBy}`)
  if (ejectedUntil !== null && Date.parse(ejectedUntil) > nowMs)
    parts.push(`ejected by ${setBy} until ${clockTime(ejectedUntil)}`)
  if (weight !== null && weight > 0) parts.push(`weight ${weight} by ${setBy}`)
  return parts.join(', ')
}
