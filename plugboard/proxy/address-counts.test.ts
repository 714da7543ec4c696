import { expect, it, test } from 'vitest'
import { AddressCounts, addressGroup } from './address-counts.ts'

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:db8::', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['unknown', 'unknown'],
])('%s counts as %s', (address, group) => {
  expect(addressGroup(address)).toBe(group)
})

it('counts each on its own, and forgets who has none left', () => {
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
