import { expect, test } from 'vitest'
import { LiveBuffer } from './live-buffer.ts'

interface Row {
  readonly id: string
  readonly state: string
}
const row = (id: string, state = ''): Row => ({ id, state })
const buffer = () => new LiveBuffer<Row>(({ id }) => id)
const ids = ({ rows }: LiveBuffer<Row>) => rows.map(({ id }) => id)

test('shows the newest row first, and only after the call of show', () => {
  const live = buffer()
  for (const id of ['a', 'b']) live.add(row(id))
  expect([ids(live), live.waiting]).toEqual([[], 2])
  live.show()
  live.add(row('c'))
  live.show()
  expect([ids(live), live.waiting, live.missed]).toEqual([['c', 'b', 'a'], 0, 0])
})

test('replaces a row in its place when it arrives again', () => {
  const live = buffer()
  for (const id of ['a', 'b']) live.add(row(id, 'open'))
  live.show()
  live.add(row('a', 'ended'))
  live.show()
  expect(live.rows).toEqual([row('b', 'open'), row('a', 'ended')])
})

test('keeps the newest 1,000 rows, and counts the rows that waited too long', () => {
  const live = buffer()
  for (let index = 0; index < 1002; index += 1) live.add(row(String(index)))
  live.miss(5)
  expect([live.waiting, live.missed]).toEqual([1000, 7])
  live.show()
  live.add(row('last'))
  live.show()
  expect([live.rows.length, ids(live)[0], ids(live).at(-1), live.missed]).toEqual([1000, 'last', '3', 7])
})
