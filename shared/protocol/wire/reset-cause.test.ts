import { expect, it } from 'vitest'
import { readCause, withCause } from './reset-cause.ts'

it.each([
  ['connection_refused\0a\x1b[2Jb\r\n\x85', 'connection_refused', 'a?[2Jb???'],
  ['connection_refused\0\u202eabc\u2028def', 'connection_refused', '?abc?def'],
  ['', undefined, ''],
  ['a text without a cause', undefined, 'a text without a cause'],
  ['\0text', undefined, '?text'],
  ['CONNECTION\0text', undefined, 'CONNECTION?text'],
  ['__proto__\0text', undefined, '__proto__?text'],
  ['a\nb\0text', undefined, 'a?b?text'],
  ['a\0b\0c\0', 'a', 'b?c?'],
  [`${'c'.repeat(41)}\0text`, undefined, `${'c'.repeat(41)}?text`],
])('the reset %j has the cause %j and the detail %j', (text, causeCode, detail) => {
  expect(readCause(text)).toEqual({ causeCode, detail })
})

it('a detail of a megabyte is cut, on both ends', () => {
  const long = 'x'.repeat(2 ** 20)
  expect(readCause(`tls_failed\0${long}`).detail).toHaveLength(201)
  expect(withCause('tls_failed', long)).toHaveLength('tls_failed\0'.length + 201)
})
