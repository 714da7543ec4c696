import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProxyHeaderError, parseProxyHeader } from './proxy-protocol.ts'

const SIGNATURE = '0d0a0d0a000d0a515549540a'
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
const line = (text: string) => Buffer.from(text, 'latin1')

const GOOD: [name: string, header: Buffer, address: string | undefined, port: number | undefined][] = [
  ['v1 TCP4', line('PROXY TCP4 203.0.113.7 10.0.0.1 56324 443\r\n'), '203.0.113.7', 56_324],
  ['v1 TCP6', line('PROXY TCP6 2001:db8::7 ::1 1 443\r\n'), '2001:db8::7', 1],
  ['v1 UNKNOWN', line('PROXY UNKNOWN\r\n'), undefined, undefined],
  ['v1 UNKNOWN with addresses', line('PROXY UNKNOWN ff:: ff:: 65535 65535\r\n'), undefined, undefined],
  ['v2 TCP4', hex(`${SIGNATURE} 21 11 000c cb007107 0a000001 dc04 01bb`), '203.0.113.7', 56_324],
  [
    'v2 TCP6',
    hex(
      `${SIGNATURE} 21 21 0024 20010db8000000000000000000000007 00000000000000000000000000000001 0001 01bb`,
    ),
    '2001:db8::7',
    1,
  ],
  [
    'v2 TCP4 with a TLV',
    hex(`${SIGNATURE} 21 11 0011 cb007107 0a000001 dc04 01bb 01 0002 6832`),
    '203.0.113.7',
    56_324,
  ],
  ['v2 LOCAL', hex(`${SIGNATURE} 20 00 0000`), undefined, undefined],
  ['v2 LOCAL with bytes to skip', hex(`${SIGNATURE} 20 11 0004 01020304`), undefined, undefined],
  ['v2 unspecified', hex(`${SIGNATURE} 21 00 0000`), undefined, undefined],
  ['v2 unix', hex(`${SIGNATURE} 21 31 00d8 ${'00'.repeat(216)}`), undefined, undefined],
]

const BAD: [name: string, header: Buffer][] = [
  ['an HTTP request', line('GET / HTTP/1.1\r\n')],
  ['a TLS hello', hex('160301')],
  ['lower case', line('proxy ')],
  ['v1, another family', line('PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n')],
  ['v1, families mixed', line('PROXY TCP4 2001:db8::7 10.0.0.1 1 1\r\n')],
  ['v1, an invalid destination', line('PROXY TCP4 10.0.0.1 nowhere 1 1\r\n')],
  ['v1, two blanks', line('PROXY TCP4  10.0.0.1 10.0.0.1 1 1\r\n')],
  ['v1, a field too many', line('PROXY TCP4 10.0.0.1 10.0.0.1 1 1 1\r\n')],
  ['v1, a field too few', line('PROXY TCP4 10.0.0.1 10.0.0.1 1\r\n')],
  ['v1, a port with a zero before it', line('PROXY TCP4 10.0.0.1 10.0.0.1 01 1\r\n')],
  ['v1, a port over 65535', line('PROXY TCP4 10.0.0.1 10.0.0.1 1 65536\r\n')],
  ['v1, a zone', line('PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n')],
  ['v1, a long line', line(`PROXY UNKNOWN ${'x'.repeat(100)}`)],
  ['v1, a long line with an end', line(`PROXY UNKNOWN ${'x'.repeat(100)}\r\n`)],
  ['v2, version 1', hex(`${SIGNATURE} 11 11 000c cb007107 0a000001 dc04 01bb`)],
  ['v2, an unknown command', hex(`${SIGNATURE} 22 11 000c cb007107 0a000001 dc04 01bb`)],
  ['v2, an unknown family', hex(`${SIGNATURE} 21 41 000c cb007107 0a000001 dc04 01bb`)],
  ['v2, addresses cut short', hex(`${SIGNATURE} 21 11 000b cb007107 0a000001 dc04 01`)],
  ['v2, an enormous length', hex(`${SIGNATURE} 21 11 ffff`)],
]

describe('a PROXY header', () => {
  it.each(GOOD)('%s', (_, header, address, port) => {
    const rest = Buffer.from('GET / HTTP/1.1\r\n')
    expect(parseProxyHeader(Buffer.concat([header, rest]))).toEqual({ bytes: header.length, address, port })
  })

  it.each(GOOD)('%s, at every split point', (_, header) => {
    for (let length = 0; length < header.length; length += 1) {
      expect(parseProxyHeader(header.subarray(0, length)), `${length} bytes`).toBeUndefined()
    }
  })

  it.each(BAD)('refused: %s', (_, header) => {
    expect(() => parseProxyHeader(header)).toThrow(ProxyHeaderError)
  })

  it('is never found in random bytes, and no unexpected error is thrown', () => {
    const start = fc.constantFrom(
      Buffer.alloc(0),
      line('PROXY TCP4 '),
      hex(SIGNATURE),
      hex(`${SIGNATURE} 21 11 000c`),
    )
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 200 }), (known, garbage) => {
        const bytes = Buffer.concat([known, garbage])
        try {
          const header = parseProxyHeader(bytes)
          expect(header === undefined || header.bytes <= bytes.length).toBe(true)
        } catch (error) {
          expect(error).toBeInstanceOf(ProxyHeaderError)
        }
      }),
    )
  })
})
