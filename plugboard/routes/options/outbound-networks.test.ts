import { expect, test } from 'vitest'
import { isLoopback, OutboundNetworks } from './outbound-networks.ts'

const none = new OutboundNetworks([])

test.each([
  '1.1.1.1',
  '93.184.215.14',
  '100.63.255.255',
  '100.128.0.1',
  '172.15.0.1',
  '172.32.0.1',
  '192.0.1.1',
  '198.17.0.1',
  '223.255.255.255',
  '2606:4700::1',
  '2a00:1450:4001::1',
  '::ffff:1.1.1.1',
  '64:ff9b::1.1.1.1',
  '2001:4860:4860::8888',
])('%s is public', address => {
  expect(none.problemOf(address)).toBeUndefined()
})

test.each([
  '127.0.0.1',
  '127.255.255.255',
  '0.0.0.0',
  '10.0.0.1',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '192.0.0.8',
  '192.0.2.1',
  '198.18.0.1',
  '203.0.113.9',
  '224.0.0.1',
  '255.255.255.255',
  '240.0.0.1',
  '::',
  '::1',
  'fe80::1',
  'fe80::1%eth0',
  'fc00::1',
  'fd12::1',
  'ff02::1',
  'fec0::1',
  '2001:db8::1',
  '2001::1',
  '2002:7f00:1::',
  '3fff::1',
  '4000::1',
  '::7f00:1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '0:0:0:0:0:ffff:a00:1',
  '::ffff:169.254.169.254',
  '64:ff9b::127.0.0.1',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b:1::1.1.1.1',
  '100::1',
  '5f00::1',
  '',
  'localhost',
  '1.2.3',
  '::g',
  'example.com',
])('%s is not, and the setting that allows it is named', address => {
  expect(none.problemOf(address)).toBe(
    `${address} is not a public address: add its network to the setting outboundNetworks to allow it`,
  )
})

test('allows single networks, in each form of an address', () => {
  const some = new OutboundNetworks(['10.1.0.0/16', 'fd00::/8', '127.0.0.1'])
  for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '64:ff9b::10.1.2.3', 'fd00::1', '127.0.0.1']) {
    expect(some.problemOf(address), address).toBeUndefined()
  }
  for (const address of ['10.2.0.1', '::ffff:10.2.0.1', 'fc00::1', '127.0.0.2', '::1']) {
    expect(some.problemOf(address), address).toBeDefined()
  }
})

test('checks a host by its text only when the text is an address or localhost', () => {
  const hosts = [
    'localhost',
    'LOCALHOST'.toLowerCase(),
    'a.localhost',
    '127.0.0.1',
    '[::1]',
    '[::ffff:7f00:1]',
  ]
  for (const host of hosts) expect(none.problemOfHost(host), host).toContain('is not a public address')
  for (const host of ['example.com', 'localhost.example', '1.1.1.1', '[2606:4700::1]']) {
    expect(none.problemOfHost(host), host).toBeUndefined()
  }
  // One allowed address is enough.
  expect(new OutboundNetworks(['127.0.0.1']).problemOfHost('localhost')).toBeUndefined()
})

test('recognises addresses of the loopback interface', () => {
  for (const address of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'])
    expect(isLoopback(address)).toBe(true)
  for (const address of ['10.0.0.1', '::', '::2', 'localhost']) expect(isLoopback(address)).toBe(false)
})
