import type { AddressInfo } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'
import { expect, it } from 'vitest'
import { localUrl, networkAddress, reachOf } from './reachable-addresses.ts'

const at = (...addresses: readonly string[]): AddressInfo[] =>
  addresses.map(address => ({ address, family: 'IPv4', port: 4000 }))

it.each([
  [['127.0.0.1', '::1'], 'machine', 'http://127.0.0.1:4000'],
  [['::1'], 'machine', 'http://[::1]:4000'],
  [['::'], 'network', 'http://127.0.0.1:4000'],
  [['192.0.2.7'], 'network', 'http://192.0.2.7:4000'],
  [['192.0.2.7', '127.0.0.1'], 'network', 'http://127.0.0.1:4000'],
] as const)('listening on %j is reachable by this %s, and from here at %s', (addresses, reach, url) => {
  expect(reachOf(at(...addresses))).toBe(reach)
  expect(localUrl(at(...addresses))).toBe(url)
})

it('returns an IPv4 address for other machines, else an IPv6 address without a zone', () => {
  const info = (address: string, family: 'IPv4' | 'IPv6', internal = false) =>
    ({ address, family, internal }) as NetworkInterfaceInfo
  const lo = [info('127.0.0.1', 'IPv4', true)]
  expect(networkAddress({ lo })).toBeUndefined()
  expect(networkAddress({ lo, a: [info('fe80::1', 'IPv6'), info('2001:db8::7', 'IPv6')] })).toBe(
    '[2001:db8::7]',
  )
  expect(networkAddress({ a: [info('2001:db8::7', 'IPv6')], b: [info('192.0.2.7', 'IPv4')] })).toBe(
    '192.0.2.7',
  )
})
