// The override of a process as text: `draining by ana`, `ejected by ana until 15:04:05, weight 10 by ana`.

import type { ShownOverride } from '../../../admin/api-types.ts'

type Effect = Pick<ShownOverride, 'weight' | 'ejectedUntil' | 'setBy'>

/** Returns an empty text when the ejection is over and there is no weight. `nowMs`: since 1970. */
export function effectOf({ weight, ejectedUntil, setBy }: Effect, nowMs: number): string {
  const parts: string[] = []
  if (weight === 0) parts.push(`draining by ${setBy}`)
  if (ejectedUntil !== null && Date.parse(ejectedUntil) > nowMs)
    parts.push(`ejected by ${setBy} until ${ejectedUntil.slice(11, 19)} UTC`)
  if (weight !== null && weight > 0) parts.push(`weight ${weight} by ${setBy}`)
  return parts.join(', ')
}
