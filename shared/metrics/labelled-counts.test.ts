import { expect, it } from 'vitest'
import { LabelledCounts } from './labelled-counts.ts'

it('counts further values as _other when there are too many', () => {
  const counts = new LabelledCounts(2)
  for (const value of ['a', 'b', 'c', 'd', 'a']) counts.add(value)
  const rows: [string, number][] = []
  counts.collect({
    value: ([value], count) => void rows.push([value as string, count]),
    histogram: () => undefined,
  })
  expect(rows).toEqual([
    ['a', 2],
    ['b', 1],
    ['_other', 2],
  ])
})
