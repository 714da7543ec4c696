import { expect, test } from 'vitest'
import { parseNetwork } from '../common/net/ip-networks.ts'
import { AddressRules } from './address-rules.ts'

const PRIVATE = ['10.0.0.0/8', '2001:db8::/32', '192.0.2.7']

test.each([
  ['10.1.2.3', true],
  ['11.1.2.3', false],
  ['192.0.2.7', true],
  ['192.0.2.8', false],
  ['2001:db8:1::1', true],
  ['2001:DB8:1::1', true],
  ['2001:db9::1', false],
  ['::ffff:10.1.2.3', true],
  ['::ffff:a01:203', true],
  ['::ffff:11.1.2.3', false],
  ['2001:db8::1%eth0', true],
  ['unknown', false],
  ['', false],
  ['10.1.2.3:80', false],
])('allow: %s → %s', (address, permitted) => {
  expect(new AddressRules(PRIVATE, undefined).permit(address)).toBe(permitted)
})

test.each([
  ['10.1.2.3', false],
  ['::ffff:10.1.2.3', false],
  ['::ffff:a01:203', false],
  ['11.1.2.3', true],
  ['2001:db8::1', false],
  ['unknown', false],
])('deny: %s → %s', (address, permitted) => {
  expect(new AddressRules(undefined, PRIVATE).permit(address)).toBe(permitted)
})

test('deny takes precedence over allow, even for an IPv4 network in its IPv6 form', () => {
  const rules = new AddressRules(['10.0.0.0/8'], ['::ffff:10.9.0.0/112'])
  expect(rules.permit('10.8.0.1')).toBe(true)
  expect(rules.permit('10.9.0.1')).toBe(false)
})

test('an IPv6 network contains no IPv4 address, except in its IPv6 form', () => {
  for (const network of ['::/0', '::/80']) {
    expect(new AddressRules([network], undefined).permit('10.1.2.3')).toBe(false)
    expect(new AddressRules(undefined, [network]).permit('::ffff:10.1.2.3')).toBe(true)
  }
  for (const network of ['::ffff:0:0/96', '::ffff:a00:0/104', '0:0:0:0:0:ffff:10.0.0.0/104'])
    expect(new AddressRules([network], undefined).permit('10.1.2.3')).toBe(true)
})

test('a rule can name all addresses', () => {
  const rules = new AddressRules(['0.0.0.0/0', '::/0'], undefined)
  expect(rules.permit('203.0.113.1')).toBe(true)
  expect(rules.permit('2001:db8::1')).toBe(true)
})

test.each([
  '10.0.0.0/33',
  '10.0.0/8',
  '::/129',
  'example.com',
  '',
  '10.0.0.0/',
  '10.0.0.0/+8',
  '::ffff:10.0.0.0/8',
  'fe80::1%eth0',
])('%j is no network', text => expect(parseNetwork(text)).toBeUndefined())
