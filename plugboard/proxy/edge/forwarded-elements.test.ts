import { describe, expect, it } from 'vitest'
import { addressOf, readForwarded, writeForwarded } from './forwarded-elements.ts'

const element = (node?: string, proto?: string, host?: string) => ({ for: node, proto, host })

describe('reads', () => {
  it.each([
    ['for=192.0.2.43', [element('192.0.2.43')]],
    ['for=192.0.2.43, for="[2001:db8:cafe::17]:4711"', [element('192.0.2.43'), element('2001:db8:cafe::17')]],
    ['For="192.0.2.43:80";Proto=https;Host="a.test:8443"', [element('192.0.2.43', 'https', 'a.test:8443')]],
    ['proto=https ; by=203.0.113.43 ;for=_hidden', [element('_hidden', 'https')]],
    ['for=unknown,,for=10.0.0.1,', [element('unknown'), element('10.0.0.1')]],
    ['host="a\\"b,for=6.6.6.6";for=1.2.3.4', [element('1.2.3.4', undefined, 'a"b,for=6.6.6.6')]],
    ['for=1.1.1.1;for=2.2.2.2', [element('1.1.1.1')]],
    ['for=', []],
    ['for=""', [element()]],
    ['for="1.1.1.1"x', []],
    ['=1.1.1.1', []],
    ['for="1.1.1.1', []],
    ['for=1.1.1.1 host=a', []],
    ['nonsense', []],
    ['', []],
  ])('%j', (value, elements) => {
    expect(readForwarded(value)).toEqual(elements)
  })
})

describe('addresses', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:8080', '192.0.2.1'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['2001:db8::1', '2001:db8::1'],
    ['999.0.0.1:80', '999.0.0.1:80'],
    ['[nonsense]', '[nonsense]'],
    ['unknown', 'unknown'],
  ])('%s is %s', (written, address) => {
    expect(addressOf(written)).toBe(address)
  })
})

describe('writes', () => {
  it.each([
    ['192.0.2.1', 'https', 'a.test', 'for=192.0.2.1;proto=https;host=a.test'],
    [
      '192.0.2.1:80, 10.0.0.1',
      'http',
      'a.test:81',
      'for=192.0.2.1;proto=http;host="a.test:81", for=10.0.0.1',
    ],
    ['2001:db8::1,_x', 'https', '[::1]', 'for="[2001:db8::1]";proto=https;host="[::1]", for=_x'],
    ['"; evil=1, ,10.0.0.1', 'http', 'a', 'for=unknown;proto=http;host=a, for=unknown, for=10.0.0.1'],
  ])('%j', (list, proto, host, value) => {
    expect(writeForwarded(list, proto, host)).toBe(value)
    expect(readForwarded(value)[0]).toMatchObject({ proto, host })
  })
})
