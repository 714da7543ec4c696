import { expect, it } from 'vitest'
import { TrustedProxies } from './trusted-proxies.ts'

it('trusts addresses and ranges of both families', () => {
  const trusted = new TrustedProxies(['10.0.0.0/8', '192.0.2.7', 'fd00::/8', '::1'])
  const trusts = ['10.1.2.3', '192.0.2.7', 'fd12::1', '::1'].map(address => trusted.trusts(address))
  expect(trusts).toEqual([true, true, true, true])
  const doubts = ['11.0.0.1', '192.0.2.8', 'fe80::1', 'unknown', ''].map(address => trusted.trusts(address))
  expect(doubts).toEqual([false, false, false, false, false])
  expect(new TrustedProxies([]).trusts('127.0.0.1')).toBe(false)
})

it.each([
  [undefined, '10.0.0.1'],
  ['9.9.9.9', '9.9.9.9'],
  ['6.6.6.6, 9.9.9.9, 10.0.0.2', '9.9.9.9'],
  ['10.0.0.3, 10.0.0.2', '10.0.0.3'],
  ['6.6.6.6, nonsense, 10.0.0.2', '10.0.0.2'],
  ['6.6.6.6, 9.9.9.9:4711, 10.0.0.2:80', '9.9.9.9'],
  ['[2001:db8::1]:4711', '2001:db8::1'],
  ['6.6.6.6, 2001:db8::1%eth0', '2001:db8::1'],
  ['6.6.6.6, ::ffff:9.9.9.9, ::ffff:10.0.0.2', '9.9.9.9'],
])('the client behind 10.0.0.1 that forwards %s', (forwardedFor, client) => {
  expect(new TrustedProxies(['10.0.0.0/8']).clientOf('10.0.0.1', forwardedFor)).toBe(client)
})

it('reads an IPv4 network in its IPv6 form as the IPv4 network', () => {
  const trusted = new TrustedProxies(['::ffff:10.0.0.0/104'])
  expect(trusted.trusts('10.1.2.3')).toBe(true)
  expect(trusted.trusts('11.0.0.1')).toBe(false)
})

it.each([
  '10.0.0.0/33',
  'x',
  '10.0.0.0/',
  '::/129',
  '10.0.0.0/8/8',
  '10.0.0',
  'fe80::1%eth0',
  '::ffff:10.0.0.0/8',
])('refuses %s', range => {
  expect(() => new TrustedProxies([range])).toThrow(range)
})

it('applies ::/0 only to IPv6', () => {
  const trusted = new TrustedProxies(['::/0'])
  expect(['::1', '10.0.0.1', '::ffff:10.0.0.1'].map(address => trusted.trusts(address))).toEqual([
    true,
    false,
    false,
  ])
})

it('returns the same address for a client in every spelling of a proxy', () => {
  const trusted = new TrustedProxies(['10.0.0.0/8'])
  const clients = ['2001:DB8:0::7', '[2001:db8::0007]:443', '2001:db8:0:0:0:0:0:7%eth0'].map(text =>
    trusted.clientOf('10.0.0.1', text),
  )
  expect(clients).toEqual(['2001:db8::7', '2001:db8::7', '2001:db8::7'])
  expect(trusted.clientOf('10.0.0.1', '192.0.2.7, ::FFFF:a00:2')).toBe('192.0.2.7')
})

it('records for each network whether its proxies send fields', () => {
  const trusted = new TrustedProxies(['10.0.0.0/8', '::1'])
  trusted.useOf('10.1.2.3')?.note(false)
  trusted.useOf('10.1.2.4')?.note(true)
  trusted.useOf('10.1.2.3')?.note(false)
  expect(trusted.useOf('192.0.2.1')).toBeUndefined()
  expect(trusted.uses.map(({ network, requests, sendsFields }) => [network, requests, sendsFields])).toEqual([
    ['10.0.0.0/8', 3, true],
    ['::1', 0, false],
  ])
})
