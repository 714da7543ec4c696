// Points in time in the tables and notes of the command line.

import { expect, it } from 'vitest'
import { relative } from './output.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')
const at = (ms: number): string => relative(new Date(NOW + ms).toISOString(), NOW)

it('a lifetime that began a moment ago is shown in full', () => {
  expect([30 * 86_400_000 - 400, 86_400_000 - 400, 3_600_000 - 400, 60_000 - 400].map(at)).toEqual([
    'in 30d',
    'in 1d',
    'in 1h',
    'in 1m',
  ])
})

it('a time is shown in whole units, which are not rounded up otherwise', () => {
  expect([29.9 * 86_400_000, 90_000, 5000, -400, -59_900, -3_599_600, -90_000_000].map(at)).toEqual([
    'in 29d',
    'in 1m',
    'in 5s',
    '0s ago',
    '59s ago',
    '59m ago',
    '1d ago',
  ])
})

it('no time is shown as a dash', () => {
  expect(relative(null, NOW)).toBe('-')
})
