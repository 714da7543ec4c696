import { expect, test } from 'vitest'
import { laterOf, newestRequest } from './last-request.tsx'

test('the later one of the recorded time and the traffic counts', () => {
  const [early, late] = ['2026-12-01T10:00:00.000Z', '2026-12-01T10:01:00.000Z']
  expect(laterOf(early, late)).toBe(late)
  expect(laterOf(late, early)).toBe(late)
  expect(laterOf(null, early)).toBe(early)
  expect(laterOf(early, null)).toBe(early)
  expect(laterOf(null, null)).toBeNull()
})

test('the newest request is at the end of its interval, and not in the future', () => {
  const from = Date.parse('2026-12-01T10:00:00Z')
  expect(newestRequest([1, 4, 0, null], from, 10_000)).toBe('2026-12-01T10:00:20.000Z')
  expect(newestRequest([0, 4], from, 10_000, from + 15_000)).toBe('2026-12-01T10:00:15.000Z')
  expect(newestRequest([0, null], from, 10_000)).toBeNull()
})
