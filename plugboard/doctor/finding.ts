// The result of one check of `plugboard doctor`, and the functions that make it. Texts are for people: the detail names the fault
// with its values, and the remedy names the command or the setting that corrects it. No text has a secret.

import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import { printable } from '@vera-stack/shared/text/printable.ts'
import type { CheckBody } from '../admin/api-types.ts'

export type Finding = Pick<CheckBody, 'state' | 'detail' | 'remedy'>

export const ok = (detail: string): Finding => ({ state: 'ok', detail, remedy: null })
export const warning = (detail: string, remedy: string): Finding => ({ state: 'warning', detail, remedy })
export const failed = (detail: string, remedy: string): Finding => ({ state: 'failed', detail, remedy })
/** For a fact that cannot be found out from this place. */
export const unknown = (detail: string, remedy: string | null = null): Finding => ({
  state: 'unknown',
  detail,
  remedy,
})

/** Names in one sentence. The list command of the resource shows the others. */
const MAX_NAMES = 3

/** Returns the first names, and the number of further ones: `"a", "b", "c" and 4 more`. */
export function listed(names: readonly string[], total = names.length): string {
  const shown = names.slice(0, MAX_NAMES).map(name => `"${printable(cutText(name), '�')}"`)
  const more = total - shown.length
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ')
}

/** Returns `1 route`, `2 routes`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`
}

/** Returns a time span in its largest unit: `3 d`, `5 h`, `40 min`, `12 s`. */
export function spanText(ms: number): string {
  const span = Math.abs(ms)
  if (span >= 86_400_000) return `${Math.floor(span / 86_400_000)} d`
  if (span >= 3_600_000) return `${Math.floor(span / 3_600_000)} h`
  if (span >= 60_000) return `${Math.floor(span / 60_000)} min`
  return `${Math.round(span / 100) / 10} s`
}
