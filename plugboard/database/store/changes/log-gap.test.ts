import { expect, it } from 'vitest'
import { continuationOf } from './log-gap.ts'

const log = (fields: { newest?: number; oldest?: number; id?: string | null }) => ({
  newest: String(fields.newest ?? 20),
  newestId: 'newest',
  oldest: String(fields.oldest ?? 1),
  id: fields.id ?? null,
})

it.each([
  ['at the newest entry', { sequence: 20, changeId: 'newest' }, { id: 'newest' }, undefined],
  ['within the log', { sequence: 12, changeId: 'a' }, { id: 'a' }, undefined],
  ['without an id', { sequence: 12 }, { id: 'b' }, undefined],
  ['at the entry before the oldest one', { sequence: 9, changeId: 'a' }, { oldest: 10 }, undefined],
  ['before the oldest entry', { sequence: 8 }, { oldest: 10 }, 'pruned'],
  ['at the newest of a log with one entry', { sequence: 20 }, { oldest: 20 }, undefined],
  ['at an empty log', { sequence: 0 }, { newest: 0, oldest: 0 }, undefined],
  ['beyond the newest entry', { sequence: 21 }, {}, 'restored'],
  ['at an entry with another id', { sequence: 12, changeId: 'a' }, { id: 'b' }, 'restored'],
] as const)('a reader %s: %o', (_, position, row, reason) => {
  expect(continuationOf(position, log(row)).gap?.reason).toBe(reason)
})
