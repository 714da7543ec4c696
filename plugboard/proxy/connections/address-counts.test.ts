import { expect, it } from 'vitest'
import { AddressCounts } from './address-counts.ts'

it('counts each address separately, and drops an address without connections', () => {
  const counts = new AddressCounts(2)
  expect([counts.add('a'), counts.add('a'), counts.add('a'), counts.add('b')]).toEqual([
    true,
    true,
    false,
    true,
  ])
  counts.remove('a')
  expect([counts.add('a'), counts.add('a')]).toEqual([true, false])
  for (const group of ['a', 'a', 'b']) counts.remove(group)
  expect([counts.add('a'), counts.add('a'), counts.add('a')]).toEqual([true, true, false])
})
