// Node's parser has one limit for the request line and the fields. The reported packet shows which of them exceeded it.

import { expect, test } from 'vitest'
import { codeOfParserError } from './parser-error.ts'

const MAX_TARGET = 100
const LONG = 'y'.repeat(200)

function codeOf(packet: string | undefined) {
  const error = Object.assign(new Error('overflow'), { code: 'HPE_HEADER_OVERFLOW' })
  const rawPacket = packet === undefined ? {} : { rawPacket: Buffer.from(packet) }
  return codeOfParserError(Object.assign(error, rawPacket), MAX_TARGET)
}

test.each([
  ['a long target', `GET /${LONG} HTTP/1.1\r\nHost: test\r\n`],
  ['a target that continues in the next packet', `GET /${LONG}`],
  ['a target that began in an earlier packet', `${LONG} HTTP/1.1\r\nHost: test\r\n`],
  ['the short end of a target that began in an earlier packet', 'yyy HTTP/1.1\r\nHost: test\r\n'],
])('%s is 414', (_what, packet) => {
  expect(codeOf(packet)).toBe('uri_too_long')
})

test.each([
  ['fields in the packet of the request line', `GET / HTTP/1.1\r\nHost: test\r\nX: ${LONG}`],
  ['a field that spans packets', LONG],
  ['the end of a field that spans packets', `${LONG}\r\nX-Next: y\r\n`],
  ['no packet', undefined],
])('%s is 431', (_what, packet) => {
  expect(codeOf(packet)).toBe('headers_too_large')
})
