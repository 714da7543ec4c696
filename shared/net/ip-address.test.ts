import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ipAddress, ipv4InGroups, ipv6Groups, socketAddress } from './ip-address.ts'

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:c000:201', '192.0.2.1'],
  ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
  ['::192.0.2.1', '::192.0.2.1'],
  ['2001:DB8:0:0::1', '2001:db8::1'],
  ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['::', '::'],
  ['', undefined],
  ['unknown', undefined],
  ['192.0.2.1%eth0', undefined],
  ['192.0.2.256', undefined],
  ['192.0.2.01', undefined],
  ['0x7f.1', undefined],
  ['[::1]', undefined],
  ['::1:', undefined],
  ['1::2::3', undefined],
  ['%', undefined],
])('%j is %j', (text, address) => {
  expect(ipAddress(text)).toBe(address)
})

test('a socket without an address is unknown', () => {
  expect(['::ffff:127.0.0.1', '::1', undefined].map(socketAddress)).toEqual(['127.0.0.1', '::1', 'unknown'])
})

test('each way to write the groups of an address leads to one form, which has the same groups', () => {
  const group = fc.oneof(fc.constant(0), fc.nat(0xffff))
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), fc.boolean(), (groups, padded) => {
      const mapped = groups.slice(0, 5).every(each => each === 0) && groups[5] === 0xffff
      const written = groups.map(each => each.toString(16).padStart(padded ? 4 : 1, '0')).join(':')
      const address = ipAddress(written)
      expect(address).toBe(ipAddress(written.toUpperCase()))
      if (mapped) expect(address).toBe(ipv4InGroups(groups))
      else expect(ipv6Groups(address as string)).toEqual(groups)
    }),
  )
})
