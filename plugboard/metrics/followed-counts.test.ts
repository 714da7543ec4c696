import { beforeEach, expect, it } from 'vitest'
import { FollowedCounts, type FollowedRow } from './followed-counts.ts'

let counts: FollowedCounts
const shown = new Set<string>()

beforeEach(() => {
  counts = new FollowedCounts()
  shown.clear()
  for (const name of ['a', 'b']) shown.add(name)
})

function read(...rows: [key: string, service: string, count: number][]): Record<string, number> {
  const list = rows.map(([key, service, count]): FollowedRow => ({ key, labels: [service, 'x'], count }))
  counts.read(list, service => shown.has(service))
  const values: Record<string, number> = {}
  counts.collect({
    value: ([service], value) => {
      values[service as string] = value
    },
    histogram: () => undefined,
  })
  return values
}

it('adds the increase to the labels of the moment, so that no total falls', () => {
  expect(read(['id1', '_other', 5])).toEqual({ _other: 5 })
  // A promotion.
  expect(read(['id1', 'a', 7])).toEqual({ _other: 5, a: 2 })
  // A rename.
  expect(read(['id1', 'b', 8])).toEqual({ _other: 5, a: 2, b: 1 })
  // A deletion.
  expect(read()).toEqual({ _other: 5, a: 2, b: 1 })
  shown.delete('a')
  expect(read()).toEqual({ _other: 5, b: 1 })
})

it('continues after a count that has started again', () => {
  expect(read(['id1', 'a', 5])).toEqual({ a: 5 })
  expect(read(['id1', 'a', 2])).toEqual({ a: 7 })
})
