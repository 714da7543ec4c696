// Renders marks and durations in lines for people.

import { styleText } from 'node:util'
import { printable } from '@vera-stack/shared/text/printable.ts'

export type Mark = 'good' | 'bad' | 'note' | 'warn'

const MARKS = { good: ['✓', 'green'], bad: ['✗', 'red'], warn: ['!', 'yellow'], note: ['·', 'gray'] } as const

/** Returns a line such as `✓ text`, with the mark in its colour. */
export function marked(mark: Mark, text: string, colours: boolean): string {
  const [sign, colour] = MARKS[mark]
  return `${colours ? styleText(colour, sign, { validateStream: false }) : sign} ${printable(text)}`
}

/** Returns a short duration: `0.3 s`, `12 s`, `3 min`. */
export function briefly(ms: number): string {
  if (ms === 0) return '0 s'
  if (ms < 950) return `${Math.max(ms / 1000, 0.1).toFixed(1)} s`
  return ms < 90_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`
}

/** Returns a rounded duration: `29 days`, `3 hours`, `40 minutes`. */
export function roughly(ms: number): string {
  const units = [
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
  ] as const
  for (const [unit, length] of units) {
    const count = Math.floor(ms / length)
    if (count >= 1) return `${count} ${unit}${count === 1 ? '' : 's'}`
  }
  return 'less than a minute'
}
