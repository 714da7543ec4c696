import { expect, it } from 'vitest'
import { effectOf } from './override-text.ts'

const NOW = Date.parse('2026-11-20T12:00:00.000Z')
const LATER = '2026-11-20T12:05:00.000Z'
const EARLIER = '2026-11-20T11:59:00.000Z'

it.each([
  [{ weight: 0, ejectedUntil: null }, 'draining by ana'],
  [{ weight: null, ejectedUntil: LATER }, 'ejected by ana until 12:05:00 UTC'],
  [{ weight: 10, ejectedUntil: null }, 'weight 10 by ana'],
  [{ weight: 0, ejectedUntil: LATER }, 'draining by ana, ejected by ana until 12:05:00 UTC'],
  [{ weight: null, ejectedUntil: EARLIER }, ''],
  [{ weight: 10, ejectedUntil: EARLIER }, 'weight 10 by ana'],
])('%o is %s', (values, text) => {
  expect(effectOf({ ...values, setBy: 'ana' }, NOW)).toBe(text)
})
