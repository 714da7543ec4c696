import { expect, it } from 'vitest'
import { looksLikeRequestId } from './request-id.ts'

it.each([
  ['a', true],
  ['~!', true],
  ['', false],
  ['a b', false],
  ['\x7f', false],
  ['é', false],
  ['x'.repeat(129), false],
])('%j looks like one: %s', (value, looks) => {
  expect(looksLikeRequestId(value)).toBe(looks)
})
